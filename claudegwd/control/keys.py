"""/v1/keys: the upstream keys. Tokens come in and never go out.

Every change is written to keys.json first and then read from there like any other edit of the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.control.problems import BadRequest, Refused
from claudegwd.keys.file import add_key, import_keys, parse_keys, remove_key, rename_key, set_key_status
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.redact import know_tokens

Result = TypeVar("Result")


async def rows(gateway: Gateway, _: Ask) -> Answer:
    """GET /v1/keys"""
    source = gateway.keys_source
    return Answer({"keys": gateway.ring.snapshot(time.time()), "origin": source.origin, "writable": source.writable})


async def one(gateway: Gateway, ask: Ask) -> Answer:
    """GET /v1/keys/{name}"""
    return Answer(_row(gateway, ask.path["name"]))


async def add(gateway: Gateway, ask: Ask) -> Answer:
    """POST /v1/keys {"name", "token", "base_url"?, "kind"?, "status"?, "replace"?}"""
    fields = ask.only("name", "token", "base_url", "kind", "status", "replace")
    replace = fields.pop("replace", False)
    if not isinstance(replace, bool):
        raise BadRequest("cannot add the key: replace must be true or false")
    (key,), notes = _parsed([fields], "this key")
    await _write(gateway, partial(add_key, key=key, replace=replace))
    ask.changed("key added", key=key.name)
    return Answer({**_row(gateway, key.name), "notes": list(notes)}, status=201)


async def bring_in(gateway: Gateway, ask: Ask) -> Answer:
    """POST /v1/keys/import {"keys": [...]}: those whose name is not there yet."""
    entries = ask.only("keys").get("keys")
    if not isinstance(entries, list):
        raise BadRequest('cannot import: send {"keys": [{"name": …, "token": …}]}')
    keys, notes = _parsed(entries, "these keys")
    added = await _write(gateway, partial(import_keys, keys=keys))
    ask.changed("keys imported", count=len(added))
    skipped = [key.name for key in keys if key.name not in added]
    return Answer({"added": list(added), "skipped": skipped, "notes": list(notes)})


async def remove(gateway: Gateway, ask: Ask) -> Answer:
    """DELETE /v1/keys/{name}"""
    name = ask.path["name"]
    _row(gateway, name)
    await _write(gateway, partial(remove_key, name=name))
    ask.changed("key removed", key=name)
    return Answer({"removed": name})


async def change(gateway: Gateway, ask: Ask) -> Answer:
    """PATCH /v1/keys/{name} {"status": "active"|"disabled"}, or {"name": another}"""
    name = ask.path["name"]
    before = _row(gateway, name)["state"]
    fields = ask.only("status", "name")
    if "name" in fields:
        return await _rename(gateway, ask, name, fields)
    wanted = fields.get("status")
    status = next((each for each in KeyStatus if each.value == wanted), None)
    if status is None:
        raise BadRequest("cannot change the key: status must be active or disabled")
    await _write(gateway, partial(set_key_status, name=name, status=status))
    row = _row(gateway, name)
    ask.changed("key status changed", key=name, before=before, after=row["state"])
    return Answer(row)


async def _rename(gateway: Gateway, ask: Ask, name: str, fields: Mapping[str, Any]) -> Answer:
    to = fields["name"]
    if len(fields) > 1 or not isinstance(to, str) or not to:
        raise BadRequest('cannot rename the key: send {"name": …} and nothing else')
    await _write(gateway, partial(rename_key, name=name, to=to))
    ask.changed("key renamed", key=name, to=to)
    return Answer(_row(gateway, to))


async def test(gateway: Gateway, ask: Ask) -> Answer:
    """POST /v1/keys/{name}/test: one cheap question; an answer clears what stood against the key."""
    ask.only()
    name = ask.path["name"]
    ask.changed("a test of a key was asked for", key=name)
    return Answer(await gateway.test_key(name))


def _parsed(entries: list[Any], origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    keys, notes = parse_keys(msgspec.json.encode(entries), origin)
    know_tokens(key.token for key in keys)
    return keys, notes


async def _write(gateway: Gateway, edit: Callable[[Path], Result]) -> Result:
    source = gateway.keys_source
    if source.path is None:
        raise Refused(
            409,
            "read_only",
            f"cannot change the keys: they come from {source.origin}, which the daemon does not write; "
            "change them there, then `claudegwctl reload`",
        )
    return await gateway.edit_keys(edit)


def _row(gateway: Gateway, name: str) -> dict[str, Any]:
    for row in gateway.ring.snapshot(time.time()):
        if row["name"] == name:
            return row
    raise Refused(404, "not_found", f"cannot find key {name[:64]!r}; `claudegwctl keys list` shows the names")
