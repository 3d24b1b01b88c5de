"""A query to the ledger, parsed from query parameters, and the format of its answer. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from claudegwd.ledger.entry import Sums

DEFAULT_SINCE: Final = "7d"
# By client, key, model and hour, a month has several thousand rows; nobody reads more, and a program can query a
# shorter period.
ROWS_ANSWERED_MAX: Final = 10_000

_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_GROUPS: Final = ("client", "key", "model", "answered", "route", "how", "day", "hour")


class UsageQueryError(ValueError):
    """It cannot be understood; the text says what to write. `param` is the query's parameter."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """`since`: seconds since the epoch. `client`: only this one; None: all."""

    since: float
    by: tuple[str, ...] = ("client",)
    client: str | None = None


def read_query(query: Mapping[str, str], now: float, groups: Sequence[str] = _GROUPS) -> UsageQuery:
    """The question in a query `since=7d&by=client,day&client=NAME`. Raises UsageQueryError."""
    by = tuple(dict.fromkeys(name.strip() for name in query.get("by", groups[0]).split(",") if name.strip()))
    for name in by:
        if name not in groups:
            raise UsageQueryError(f"cannot group by {name[:40]!r}: use one or more of {', '.join(groups)}", "by")
    return UsageQuery(read_since(query.get("since", DEFAULT_SINCE), now), by, query.get("client"))


def read_since(text: str, now: float) -> float:
    """A span back from `now`, or a UTC date, as seconds since the epoch. Raises UsageQueryError."""
    text = text.strip()
    if span := re.fullmatch(r"([0-9]{1,6})([mhdw])", text.lower(), re.ASCII):
        return max(0.0, now - int(span[1]) * _UNITS[span[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageQueryError(
            f"cannot read the time {text[:40]!r}: use for example 7d, 12h, 90m or 2027-01-31", "since"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def answer(
    question: UsageQuery, rows: Iterable[Sequence[Any]], total: Sequence[Any], left_out: int = 0
) -> dict[str, Any]:
    """The body of an answer. Each row: the values of `question.by`, how many requests failed, and the sums in order.

    Days and hours are given as their start in seconds. `left_out`: how many rows are missing in `rows`.
    """
    groups = len(question.by)
    texts = [_TEXTS.get(name) for name in question.by]
    shown = []
    for row in rows:
        values = (text(value) if text else value for text, value in zip(texts, row, strict=False))
        shown.append(dict(zip(question.by, values, strict=True)) | shape(row[groups], Sums(*row[groups + 1 :])))
    body = {"since": question.since, "by": list(question.by), "rows": shown}
    body["total"] = shape(total[0], Sums(*total[1:]))
    return {**body, "rows_left_out": left_out} if left_out else body


@lru_cache(maxsize=ROWS_ANSWERED_MAX)
def _day(start: int) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d")


@lru_cache(maxsize=ROWS_ANSWERED_MAX)
def _hour(start: int) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:00Z")


_TEXTS: Final[Mapping[str, Callable[[int], str]]] = {"day": _day, "hour": _hour}


def shape(errors: int, sums: Sums) -> dict[str, Any]:
    """Sums for people. `cost_usd` is what the CLI computes with its own price table; null if it reported nothing."""
    return {
        "requests": sums.requests,
        "errors": errors,
        "prompt_tokens": sums.prompt,
        "completion_tokens": sums.completion,
        "cached_tokens": sums.cached,
        "cache_write_tokens": sums.written,
        "reasoning_tokens": sums.reasoning,
        "web_search_requests": sums.web_searches,
        "web_fetch_requests": sums.web_fetches,
        "code_execution_requests": sums.code_executions,
        "cost_usd": round(sums.cost, 9) if sums.priced else None,
        "without_cost": sums.unpriced,
        "first_token_ms": round(sums.first_ms / sums.firsts) if sums.firsts else None,
        "request_ms": round(sums.all_ms / sums.requests) if sums.requests else None,
    }
