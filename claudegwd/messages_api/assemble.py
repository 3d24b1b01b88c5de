"""A complete answer, assembled from the events of its stream, for requests without streaming."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from claudegwd.openai_api.encode import encode

_decode = msgspec.json.Decoder().decode

# Delta fields that do not go into the block's field of the same name.
_JSON = "partial_json"
_LISTS = {"citation": "citations"}


def message_body(events: Iterable[bytes]) -> bytes:
    """The JSON of the message that these events make up; ValueError if they do not start one."""
    message: dict[str, Any] | None = None
    blocks: dict[int, dict[str, Any]] = {}
    arguments: dict[int, list[str]] = {}
    for raw in events:
        event = _read(raw)
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                blocks[event["index"]] = event["content_block"]
            case "content_block_delta":
                _add(blocks[event["index"]], event["delta"], arguments.setdefault(event["index"], []))
            case "message_delta" if message is not None:
                _finish(message, event)
    if message is None:
        raise ValueError("cannot put a message together that has not begun")
    for index, pieces in arguments.items():
        if pieces:
            blocks[index]["input"] = _arguments("".join(pieces))
    message["content"] = [blocks[index] for index in sorted(blocks)]
    return encode(message)


def _read(raw: bytes) -> Any:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(raw)  # half of a surrogate pair, which models write


def _add(block: dict[str, Any], delta: dict[str, Any], arguments: list[str]) -> None:
    """Deltas of unknown kinds also have a field of the block, so far."""
    for name, value in delta.items():
        if name == "type":
            continue
        if name == _JSON:
            arguments.append(value)
        elif name in _LISTS:
            block[_LISTS[name]] = [*(block.get(_LISTS[name]) or ()), value]
        elif isinstance(value, str) and isinstance(block.get(name), str):
            block[name] += value
        else:
            block[name] = value


def _arguments(text: str) -> Any:
    """As the model wrote them. If max_tokens cut them off, they are not JSON: the block drops them, as upstream."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}


def _finish(message: dict[str, Any], event: dict[str, Any]) -> None:
    usage = {**message.get("usage", {}), **(event.get("usage") or {})}
    message.update(event["delta"])
    message["usage"] = usage
    message.update({name: value for name, value in event.items() if name not in ("type", "delta", "usage")})
