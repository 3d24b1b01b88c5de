from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from claudegwd.logs.entry import MAX_TEXT, MAX_VALUE, LogEntry, at_least, entry_of, number_of, timestamp, trace
from claudegwd.redact import REDACTED, Redactor


def entry(text: str = "text", level: int = logging.INFO, args: tuple[Any, ...] = (), **fields: object) -> LogEntry:
    record = logging.LogRecord("claudegwd", level, __file__, 1, text, args, None)
    record.fields = fields
    return entry_of(record, Redactor(["plain-token"]))


def test_listed_fields_only() -> None:
    found = entry(request_id="r1", body="Hello, model", messages=["x"])
    assert found.fields == {"request_id": "r1", "problem": "fields not allowed in the log: body, messages"}


def test_tokens_leave_texts_and_fields() -> None:
    found = entry("used plain-token", reason="sk-false-0123456789 refused")
    assert found.text == f"used {REDACTED}"
    assert found.fields == {"reason": f"{REDACTED} refused"}


def test_one_line_whatever_is_in_it() -> None:
    found = entry("a\nb\x1b[31m\u202e\ud800", reason="x\r\ny")
    assert found.text == "a\\u000ab\\u001b[31m\\u202e\\ud800"
    assert found.fields == {"reason": "x\\u000d\\u000ay"}


def test_values_keep_their_types_and_are_bounded() -> None:
    found = entry("x" * 10_000, count=3, seconds=0.5, changed=True, key=None, reason="y" * 10_000)
    assert len(found.text) == MAX_TEXT + 1
    assert len(str(found.fields["reason"])) == MAX_VALUE + 1
    assert [found.fields[name] for name in ("count", "seconds", "changed", "key")] == [3, 0.5, True, None]


def test_a_librarys_broken_format_is_shown_as_it_is() -> None:
    assert entry("%d items", args=("many",)).text == "%d items"


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "debug"), (10, "debug"), (20, "info"), (30, "warning"), (40, "error"), (50, "error")],
)
def test_levels(number: int, level: str) -> None:
    assert entry(level=number).level == level


def test_comparing_levels() -> None:
    assert at_least("error", "warning")
    assert at_least("info", "info")
    assert not at_least("debug", "info")
    assert number_of("warning") == logging.WARNING


def test_as_json() -> None:
    record = LogEntry(1_800_000_000.25, "info", "claudegwd", "ready", {"count": 1})
    assert record.as_dict() == {"time": "2027-01-15T08:00:00.250Z", "level": "info", "message": "ready", "count": 1}
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"


def broken() -> None:
    raise ValueError("Hello, this is what a client sent")


def wrapped() -> None:
    try:
        broken()
    except ValueError as error:
        raise RuntimeError("sk-false-0123456789") from error


def test_a_trace_names_places_and_types_but_no_text() -> None:
    with pytest.raises(RuntimeError) as caught:
        wrapped()
    text = trace(caught.value)
    assert text.startswith("RuntimeError at test_entry.py:")
    assert " <- ValueError at test_entry.py:" in text
    assert " broken < test_entry.py:" in text
    assert "client" not in text
    assert "sk-false" not in text


def test_the_trace_of_a_group_and_of_the_system() -> None:
    group = ExceptionGroup("text", [KeyError("text"), FileNotFoundError(2, "No such file or directory", "/secret")])
    assert trace(group) == "ExceptionGroup <- KeyError <- FileNotFoundError (No such file or directory)"


def test_the_trace_of_a_recursion_is_short() -> None:
    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    assert trace(caught.value).count("deeper") == 12


def test_a_record_with_an_exception() -> None:
    try:
        broken()
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "request failed", (), sys.exc_info())
    found = entry_of(record, Redactor())
    assert str(found.fields["trace"]).startswith("ValueError at test_entry.py:")
