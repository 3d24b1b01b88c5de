"""Encodes values as JSON bytes, whatever text they contain."""

import json
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8. Halves of surrogate pairs, which UTF-8 cannot hold, remain escapes."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode("ascii")
