"""The arguments of a tool call: text in OpenAI's protocol, an object in the Messages API."""

import json
from typing import Any

import msgspec

from claudegwd.openai_api.json_body import nests_deeper_than

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode

# Above this, floats have no fraction to lose, and not every encoder can write integers.
_MAX_WHOLE = 2.0**53

# The maximum depth of a request body: walking deeper values could raise RecursionError.
MAX_DEPTH = 100


def as_object(text: str) -> dict[str, Any]:
    """A call's arguments as an object. Anything else (a model's slip), or too deep, stays text."""
    if nests_deeper_than(MAX_DEPTH, text):
        return {"arguments": text}
    try:
        value = _decode(text or "{}")
        _encode(value)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def is_json(text: str) -> bool:
    """Whether a call's arguments can be parsed at all, whether or not as an object."""
    try:
        _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def same_numbers(value: object) -> object:
    """The value with 1.0 as 1: the same number in JavaScript, which reads the first and writes the second."""
    match value:
        case float() if value.is_integer() and abs(value) <= _MAX_WHOLE:
            return int(value)
        case list():
            return [same_numbers(item) for item in value]
        case dict():
            return {key: same_numbers(item) for key, item in value.items()}
    return value


def canonical(value: object) -> bytes:
    """Equal bytes for equal values, whatever the order of keys."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # Half of a surrogate pair in a model's words. Escaped; a client cannot send it back anyway.
        return json.dumps(value, sort_keys=True).encode("ascii")
