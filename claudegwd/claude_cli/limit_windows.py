"""How much of the upstream's limits is used, from response headers and from the CLI's own event. Pure.

A subscription has windows of five hours and of a week; a key has requests and tokens per minute. Names are short: the
upstream's own if it has one: `5h`, `7d`, `requests`, `tokens`.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from claudegwd.claude_cli.events import RateLimitInfo

# The CLI's names for the same windows.
_OF_THE_CLI: Final = {
    "five_hour": "5h", "seven_day": "7d", "seven_day_opus": "7d opus", "seven_day_sonnet": "7d sonnet",
}  # fmt: skip
_UNIFIED: Final = re.compile(r"anthropic-ratelimit-unified-([0-9]{1,3}[a-z](?:-[a-z0-9]{1,20})?)-utilization", re.ASCII)
_COUNTED: Final = re.compile(r"anthropic-ratelimit-((?:input-|output-)?tokens|requests)-limit", re.ASCII)


class LimitWindow(NamedTuple):
    """One window. `used` is a fraction, above 1 if extra usage pays; `resets`: seconds since the epoch."""

    name: str
    used: float
    resets: float | None
    status: str = ""  # allowed, allowed_warning, rejected; "" if not stated
    extra: bool = False  # extra usage pays for the excess


class _Window(msgspec.Struct):
    utilization: float
    resetsAt: float | None = None  # noqa: N815 - the CLI's name
    status: str = ""


_windows = msgspec.json.Decoder(dict[str, _Window])


def windows_of_headers(headers: Mapping[str, str]) -> list[LimitWindow]:
    """From the headers of one answer, names in lower case. Unreadable ones are left out."""
    found = []
    for name, value in headers.items():
        if window := _UNIFIED.fullmatch(name):
            start = f"anthropic-ratelimit-unified-{window[1]}"
            used, resets = _number(value), _number(headers.get(f"{start}-reset", ""))
            extra = headers.get("anthropic-ratelimit-unified-overage-in-use", "") == "true"
            if used is not None:
                status = headers.get(f"{start}-status", "")
                found.append(LimitWindow(window[1].replace("-", " "), used, resets, status, extra))
        elif window := _COUNTED.fullmatch(name):
            start = f"anthropic-ratelimit-{window[1]}"
            limit, left = _number(value), _number(headers.get(f"{start}-remaining", ""))
            if limit and left is not None:
                resets = _moment(headers.get(f"{start}-reset", ""))
                found.append(LimitWindow(window[1].replace("-", " "), 1 - left / limit, resets))
    return found


def windows_of_event(info: RateLimitInfo) -> list[LimitWindow]:
    """From a `rate_limit_event`."""
    try:
        told = _windows.decode(info.unifiedWindows)
    except msgspec.DecodeError:
        told = {}  # of a later version: the rest of the event is enough
    found = {}
    for key, one in told.items():
        name = _OF_THE_CLI.get(key, key)
        found[name] = LimitWindow(name, one.utilization, one.resetsAt, one.status, info.isUsingOverage)
    if info.rateLimitType is not None:
        name = _OF_THE_CLI.get(info.rateLimitType, info.rateLimitType)
        known = found.get(name)
        used = 1.0 if info.status == "rejected" else info.utilization if known is None else known.used
        if used is not None:
            found[name] = LimitWindow(name, used, info.resetsAt, info.status, info.isUsingOverage)
    return list(found.values())


def _number(value: str) -> float | None:
    return float(value) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value, re.ASCII) else None


def _moment(value: str) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None
