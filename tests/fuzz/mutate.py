"""From something right to something wrong: values and bytes, changed a little or a lot."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

# What breaks readers: wrong types, edges of numbers, halves of characters, names that mean something somewhere.
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -0.0, 1e308, 0.1, "", " ", "0", "x" * 5000, "\x00",
    "\ud800", "\udc00a", "ä€😀", "\u202e", "\r\n", "data:image/png;base64,AAAA", "data:,", "http://127.0.0.1/", "../..",
    "system", "assistant", "tool", "function", "json_schema", "image_url", "auto", "required", [], [[]], {}, [None],
    {"type": "text"}, {"type": "text", "text": None}, {"": ""}, {"$ref": "#"}, {"type": ["object"]}, {"anyOf": []},
)  # fmt: skip
PIECES = (b"\x00", b"\r\n", b"\n", b"\\ud800", b"1e999", b"\xff", b"{", b"]", b'"', b":", b" ", b"\\u0000")
DEEP = 110  # beyond Bounds.max_depth


def value(chance: random.Random, good: Any, changes: int) -> Any:
    """`good` with so many changes somewhere in it."""
    root = [json.loads(json.dumps(good))]
    for _ in range(changes):
        holder, place = chance.choice(list(_places(root)))
        _change(chance, holder, place)
        if not root:
            root.append(None)
    return root[0]


def _places(root: Any) -> Any:
    holders = [root]
    while holders:
        holder = holders.pop()
        for place in holder if isinstance(holder, dict) else range(len(holder)):
            yield holder, place
            if isinstance(holder[place], dict | list):
                holders.append(holder[place])


def _change(chance: random.Random, holder: Any, place: Any) -> None:
    match chance.randrange(6):
        case 0 | 1:
            holder[place] = deepcopy(chance.choice(HOSTILE))
        case 2:
            del holder[place]
        case 3 if isinstance(holder, list):
            holder.insert(place, deepcopy(holder[place]))
        case 3 | 4 if isinstance(holder, dict):
            name = chance.choice([*holder, "", "\ud800", "a\r\nb", "type"])
            holder[name] = deepcopy(holder[place])
        case 4:
            holder[place] = [holder[place]]
        case _:
            for _ in range(chance.choice((1, 2, DEEP))):
                holder[place] = {"a": holder[place]} if chance.random() < 0.5 else [holder[place]]


def data(chance: random.Random, good: bytes, changes: int) -> bytes:
    """Bytes with so many changes: cut, doubled, flipped, something put in."""
    found = bytearray(good)
    for _ in range(changes):
        at = chance.randrange(len(found) + 1)
        to = min(len(found), at + chance.choice((1, 2, 8, 64)))
        match chance.randrange(4):
            case 0:
                del found[at:to]
            case 1:
                found[at:at] = found[at:to] * chance.choice((1, 3, 50))
            case 2:
                found[at:to] = chance.randbytes(to - at)
            case _:
                found[at:at] = chance.choice(PIECES)
    return bytes(found)
