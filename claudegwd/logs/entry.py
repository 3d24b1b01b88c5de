"""One log record as every output shows it: redacted, bounded, on one line. Pure."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final

from claudegwd.logs.event import FIELDS, Value

LEVELS: Final = ("debug", "info", "warning", "error")
_NUMBERS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# journald splits lines on stderr at 48 kB; a sentence is far shorter.
MAX_TEXT: Final = 4096
# Names, ids and reasons are short; a line of the CLI's stderr may be longer and is truncated.
MAX_VALUE: Final = 1024
# Enough to see where it failed; a recursion has a thousand.
MAX_FRAMES: Final = 12
# The first failures of a group tell the story.
MAX_CAUSES: Final = 4

# What would end the line, move a terminal's cursor or reverse its writing; and half surrogates, which no UTF-8 has.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class LogEntry:
    """A record. `time` is seconds of the wall clock, `level` one of `LEVELS`; all texts are safe to print."""

    time: float
    level: str
    logger: str
    text: str
    fields: Mapping[str, Value]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `time` as RFC 3339 in UTC with milliseconds, the fields beside the others."""
        return {"time": timestamp(self.time), "level": self.level, "message": self.text, **self.fields}


def timestamp(seconds: float) -> str:
    """Wall clock seconds as 2026-01-31T12:00:00.000Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number_of(level: str) -> int:
    """The stdlib's number for one of `LEVELS`."""
    return _NUMBERS[level]


def at_least(level: str, wanted: str) -> bool:
    return _NUMBERS[level] >= _NUMBERS[wanted]


def entry_of(record: logging.LogRecord, redact: Callable[[str], str]) -> LogEntry:
    """What may leave this process of a record."""
    given = getattr(record, "fields", {})
    fields: dict[str, Value] = {name: _value(value, redact) for name, value in given.items() if name in FIELDS}
    left_out = sorted(name for name in given if name not in FIELDS)
    if left_out:
        # Said rather than raised: a slip in a log line must not end somebody's request. The tests look for it.
        fields["problem"] = f"fields not allowed in the log: {', '.join(left_out)}"
    if record.exc_info and record.exc_info[1] is not None:
        fields["trace"] = trace(record.exc_info[1])
    return LogEntry(record.created, _level(record.levelno), record.name, _clean(record, redact), fields)


def trace(error: BaseException) -> str:
    """Types and places of an exception, its causes and its group, innermost place first. Never its text."""
    return " <- ".join(_one(cause) for _, cause in zip(range(MAX_CAUSES), _causes(error), strict=False))


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _causes(cause)


def _one(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    places = " < ".join(f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        kind += f" ({error.strerror})"
    return f"{kind} at {places}" if places else kind


def _clean(record: logging.LogRecord, redact: Callable[[str], str]) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # A library's format string that does not fit its arguments.
        text = str(record.msg)
    return one_line(redact(text), MAX_TEXT)


def _value(value: object, redact: Callable[[str], str]) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    return one_line(redact(str(value)), MAX_VALUE)


def one_line(text: str, limit: int) -> str:
    """`text` without anything that a terminal or a log reader would act on, cut to `limit` characters."""
    # Cut first: escaping a text of megabytes only to drop it costs time.
    cut = text if len(text) <= limit else text[:limit] + "…"
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", cut)


def _level(number: int) -> str:
    for level in reversed(LEVELS):
        if number >= _NUMBERS[level]:
            return level
    return LEVELS[0]
