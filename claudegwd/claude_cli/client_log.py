"""When the upstream accepts requests again, from the log of the CLI's client library. Pure.

With a key, none of the CLI's events says so (observed). The library logs the headers of each response to stderr, as

    [Anthropic SDK DEBUG] [log_93b29c] response error (error; no more retries left) {
      status: 429,
      headers: {
        "retry-after": "70",
      },
    }

and only the shape of a request's body. If a later version changes the format, nothing is found, and the configured
cooldown applies.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_START = b"[Anthropic SDK "
_NEW_REQUEST = b"sending request"
_HEADER = re.compile(rb'"(retry-after|anthropic-ratelimit-[a-z0-9-]{1,60})": "([^"]{1,64})"')
# Headers of one response; some 20 were seen.
HEADERS_MAX: Final = 64
_REJECTED = "rejected"


class ClientLog:
    """Feed it the lines of stderr, in order; ask it after an upstream refusal."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._inside = False
        self._new = False  # headers not taken yet

    def takes(self, line: bytes) -> bool:
        """Take a line; whether it belongs to the library's log."""
        if line.startswith(_START):
            self._inside = line.endswith(b"{")
            if _NEW_REQUEST in line:
                self._headers.clear()
            return True
        if not self._inside:
            return False
        self._inside = line != b"}"
        for name, value in _HEADER.findall(line):
            if len(self._headers) < HEADERS_MAX:
                self._headers[name.decode()] = value.decode("utf-8", "replace")
                self._new = True
        return True

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
