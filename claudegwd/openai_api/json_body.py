"""Turns the bytes of a body into a JSON object, or a 400 that says what is wrong, and where."""

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, NoReturn

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest

# A body that msgspec rejects is parsed once more by the (slower, more lenient) standard library, to name the invalid
# field. For larger bodies that would block the daemon for longer than it is worth.
MAX_DIAGNOSED_BYTES = 4 * 1024 * 1024

# Windows editors and shells put it at the start of files.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_decoder = msgspec.json.Decoder()
# Also matches at the end of the body: else each quote of a broken body would be scanned to its end, in quadratic time.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRING_IN_BYTES = re.compile(_STRING, re.DOTALL)
_STRING_IN_TEXT = re.compile(_STRING.decode(), re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$-]{1,64}")


def read_object(body: bytes, bounds: Bounds) -> dict[str, Any]:
    """Decode a JSON object in which every string can be written as UTF-8 and every number is finite.

    Raises InvalidRequest; `param` is the path of the field at fault, if there is one.
    """
    marked, body = body, body.removeprefix(_BYTE_ORDER_MARK)
    if _holds_more_than(bounds.max_values, body):
        raise InvalidRequest(f"cannot read a body of more than {bounds.max_values} JSON values: send less")
    try:
        value = _decoder.decode(body)
    except RecursionError as error:
        raise InvalidRequest("cannot read a body nested so deeply: send flatter JSON") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        _say_why(body, len(marked) - len(body))
    if not isinstance(value, dict):
        raise InvalidRequest("cannot read the body: it must be a JSON object")
    return value


def _holds_more_than(limit: int, body: bytes) -> bool:
    """Whether there are more JSON values than that: each but the first follows one of these three characters."""
    if len(body) <= limit or sum(map(body.count, (b",", b"[", b"{"))) <= limit:
        return False
    # So many strings alone are too many (each is a value or a key). Checked before the exact count, which is slow.
    bare = body.replace(rb"\\", b"")
    if bare.count(b'"') - bare.count(rb"\"") > 4 * limit:
        return True
    # Long texts contain those characters too: count again without the strings.
    return sum(map(_STRING_IN_BYTES.sub(b"", body).count, (b",", b"[", b"{"))) > limit


def _say_why(body: bytes, before: int) -> NoReturn:
    """Find out what the fast decoder did not say (it calls a lone surrogate "truncated").

    `before`: how many bytes of the request come before this body.
    """
    if len(body) > MAX_DIAGNOSED_BYTES:
        raise InvalidRequest("cannot read the body: it is not JSON in UTF-8")
    try:
        # As text: from bytes, it would guess the encoding. Encoded surrogates pass, to be named with their field below.
        value = json.loads(body.decode("utf-8", "surrogatepass"))
    except json.JSONDecodeError as error:
        # Never error.msg with its context, which would repeat the client's text.
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidRequest(f"cannot read the body: it is not JSON (see {where})") from error
    except UnicodeDecodeError as error:
        where = f"byte {before + error.start + 1}"  # the first is 1, as for lines and columns
        raise InvalidRequest(f"cannot read the body: it is not UTF-8 (see {where})") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("cannot read the body: a number is too long, or the nesting is too deep") from error
    for path, reason in _faults(value, ""):
        raise InvalidRequest(f"cannot read {path or 'the body'}: {reason}", param=path or None)
    raise InvalidRequest("cannot read the body: it is not JSON in UTF-8")


def _faults(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every place that is invalid as strict JSON in UTF-8, depth first, without recursion."""
    waiting: list[tuple[str, object]] = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and not _encodes(value):
            yield path, "it contains an unpaired surrogate, which is not a character; send whole characters"
        elif isinstance(value, float) and not isfinite(value):
            yield path, "it must be a finite number"
        elif isinstance(value, dict):
            if not all(map(_encodes, value)):
                yield path, "a key contains an unpaired surrogate, which is not a character; send whole characters"
            waiting.extend((f"{path}.{shown(key)}".lstrip("."), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{i}]", item) for i, item in reversed(list(enumerate(value))))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(key: str) -> str:
    """A client's key for a path in an error: itself if it looks like a name, else a star, as paths reach logs."""
    return key if _PLAIN_KEY.fullmatch(key) else "*"


def nests_deeper_than(limit: int, text: str) -> bool:
    """Whether parsing this text could go deeper than that. The text need not be JSON."""
    if text.count("[") + text.count("{") <= limit:
        return False
    # Code in strings is full of brackets: what is left without the strings rarely has many.
    depth = 0
    for bracket in _BRACKET.findall(_STRING_IN_TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > limit:
            return True
    return False
