"""A complete answer, assembled from the events of its stream, for requests without streaming."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from claudegwd.openai_api.encode import encode

_decode = msgspec.json.Decoder().decode

Pieces = dict[str, list[str]]  # of the texts of a block, by the name of the field

# Delta fields that do not go into the block's field of the same name.
_JSON = "partial_json"
_LISTS = {"citation": "citations"}


def message_body(events: Iterable[bytes]) -> bytes:
    """The JSON of the message that these events make up; ValueError if they do not start one."""
    message: dict[str, Any] | None = None
    blocks: dict[int, dict[str, Any]] = {}
    grown: dict[int, Pieces] = {}
    for raw in events:
        event = _read(raw)
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                blocks[event["index"]] = event["content_block"]
            case "content_block_delta":
                _add(blocks[event["index"]], event["delta"], grown.setdefault(event["index"], {}))
            case "message_delta" if message is not None:
                _finish(message, event)
    if message is None:
        raise ValueError("cannot put a message together that has not begun")
    for index, fields in grown.items():
        for name, pieces in fields.items():
            text = "".join(pieces)
            blocks[index].update({"input": _arguments(text)} if name == _JSON else {name: text})
    message["content"] = [blocks[index] for index in sorted(blocks)]
    return encode(message)


def _read(raw: bytes) -> Any:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(raw)  # half of a surrogate pair, which models write


def _add(block: dict[str, Any], delta: dict[str, Any], grown: Pieces) -> None:
    """Deltas of unknown kinds also have a field of the block, so far. Texts are joined at the end: one that grew with
    each of its pieces would be copied as often."""
    for name, value in delta.items():
        if name == "type":
            continue
        if name == _JSON:
            grown.setdefault(name, []).append(value)
        elif name in _LISTS:
            block[_LISTS[name]] = [*(block.get(_LISTS[name]) or ()), value]
        elif isinstance(value, str) and isinstance(block.get(name), str):
            grown.setdefault(name, [block[name]]).append(value)
        else:
            block[name] = value


def _arguments(text: str) -> Any:
    """As the model wrote them. If max_tokens cut them off, they are not JSON: the block drops them, as upstream."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}


def _finish(message: dict[str, Any], event: dict[str, Any]) -> None:
    usage, end = message.get("usage") or {}, event.get("usage") or {}
    # Some upstreams repeat the counts of the prompt as zeros at the end.
    told = {name: value for name, value in end.items() if value or name == "output_tokens" or not usage.get(name)}
    message.update(event["delta"])
    message["usage"] = {**usage, **told}
    message.update({name: value for name, value in event.items() if name not in ("type", "delta", "usage")})
