"""What only the log of the CLI's client library says: when a request has been sent, when the upstream rejected it, and
when it accepts requests again. Pure.

No event of the CLI reports the first; with a key, none reports the last (observed). The library logs each request and
the headers of each response to stderr, as

    [Anthropic SDK DEBUG] [log_93b29c] response error (error; no more retries left) {
      status: 429,
      headers: {
        "retry-after": "70",
      },
    }

and only the shape of a request's body. If a later version changes the format, nothing is found: the configured
cooldown applies, and the retry block is set later.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

_START = b"[Anthropic SDK "
_ID = re.compile(rb"\[(log_\w{1,64})\] ")
_NEW_REQUEST = b"sending request"
_STREAMS = b"stream: true,"
_STATUS = re.compile(rb"  status: ([1-5]\d\d),")
_JSON = b'"content-type": "application/json'
_HEADER = re.compile(rb'"(retry-after|anthropic-ratelimit-[a-z0-9-]{1,60})": "([^"]{1,64})"')
# Headers of one response; some 20 were seen.
HEADERS_MAX: Final = 64
_REJECTED = "rejected"
_FIRST_ERROR: Final = 400


class Rejection(NamedTuple):
    """How the upstream rejected a request. `is_json`: the response was JSON, as from an API."""

    status: int
    is_json: bool


class ClientLog:
    """Feed it the lines of stderr, in order; ask it after an upstream refusal."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._inside = False
        self._new = False  # headers not taken yet
        self._id = b""  # the request that the entry is about
        self._question = b""  # the last one that streams: others are not the model's answers
        self._sending = False  # inside the entry for a request
        self._sent = self._rejected = False  # not taken yet
        self._status = 0
        self._is_json = False

    def takes(self, line: bytes) -> bool:
        """Take a line; whether it belongs to the library's log."""
        if line.startswith(_START):
            self._inside = line.endswith(b"{")
            named = _ID.search(line)
            self._id = named[1] if named else b""
            self._sending = _NEW_REQUEST in line
            if self._sending:
                self._headers.clear()
            self._status = 0
            self._is_json = False
            return True
        if not self._inside:
            return False
        self._inside = line != b"}"
        if self._sending:
            if line.strip() == _STREAMS:
                self._question = self._id
            self._sent = self._sent or (self._id == self._question and not self._inside)
            return True
        if status := _STATUS.fullmatch(line):
            self._status = int(status[1])
        self._is_json = self._is_json or _JSON in line
        if self._id == self._question and self._status >= _FIRST_ERROR and not self._inside:
            self._rejected = True
        for name, value in _HEADER.findall(line):
            if len(self._headers) < HEADERS_MAX:
                self._headers[name.decode()] = value.decode("utf-8", "replace")
                self._new = True
        return True

    def take_sent(self) -> bool:
        """Whether a question has been sent upstream; reported once per request. Its address is fixed by then
        (observed)."""
        sent, self._sent = self._sent, False
        return sent

    def take_rejection(self) -> Rejection | None:
        """How the upstream rejected a question; reported once per request."""
        rejected, self._rejected = self._rejected, False
        return Rejection(self._status, self._is_json) if rejected else None

    def take_headers(self) -> Mapping[str, str]:
        """The limit headers of the last response, once, when complete; else nothing."""
        if self._inside or not self._new:
            return {}
        self._new = False
        return dict(self._headers)

    def reset_at(self, now: float) -> float | None:
        """The end of the limit that the last response named, like `now` in seconds of the wall clock.

        The later one, if it named both a wait and the end of a subscription's limit.
        """
        times = [_after(self._headers.get("retry-after", ""), now)]
        if self._headers.get("anthropic-ratelimit-unified-status") == _REJECTED:
            times.append(_number(self._headers.get("anthropic-ratelimit-unified-reset", "")))
        return max((time for time in times if time is not None), default=None)


def _after(value: str, now: float) -> float | None:
    """`retry-after`: seconds, or an HTTP date."""
    seconds = _number(value)
    if seconds is not None:
        return now + seconds
    try:
        return parsedate_to_datetime(value).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _number(value: str) -> float | None:
    return float(value) if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value) else None
