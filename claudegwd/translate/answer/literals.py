"""JSON string literals as the CLI wrote them: the pieces of an answer, joined and mostly never decoded."""

import json
from collections.abc import Sequence

import msgspec

from claudegwd.openai_api.encode import encode


def joined(pieces: Sequence[bytes]) -> str:
    """The text of consecutive literals. Never raises: anything broken in them is replaced."""
    literal = b'"' + b"".join(piece[1:-1] for piece in pieces) + b'"'
    try:
        return msgspec.json.decode(literal, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _lenient(literal)


def _lenient(literal: bytes) -> str:
    text = literal.decode("utf-8", "replace")
    try:
        # Half of a surrogate pair, which msgspec rejects and the standard library accepts.
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def literal_of(text: str) -> bytes:
    """The inverse."""
    return encode(text)


def is_blank(piece: bytes) -> bool:
    """Whether a literal contains only white space by JavaScript's `trim`, which the CLI uses."""
    return not joined([piece]).strip().strip("\ufeff")
