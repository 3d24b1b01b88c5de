from __future__ import annotations

import json
import struct

import pytest

from claudegwd.logs.entry import LogEntry
from claudegwd.logs.event import Value
from claudegwd.logs.formats import console_line, journal_datagram, json_line, prefixed_line


def made(level: str = "info", text: str = "key rotated", **fields: Value) -> LogEntry:
    return LogEntry(1_800_000_000.25, level, "claudegwd", text, fields)


def test_for_people() -> None:
    assert console_line(made(key="primary")) == "2027-01-15T08:00:00.250Z info    key rotated key=primary"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        (True, "true"),
        (0.25, "0.25"),
        (3.0, "3"),
        (1e9, "1000000000"),
        (7, "7"),
        ("größer", "größer"),
    ],
)
def test_values_for_people(value: Value, shown: str) -> None:
    assert console_line(made(reason=value)).endswith(f"key rotated reason={shown}")


def test_what_is_not_known_is_not_shown_to_people() -> None:
    assert console_line(made(key=None)).endswith("key rotated")


def test_colour_is_only_on_the_level() -> None:
    assert "\x1b[33mwarning\x1b[0m key rotated" in console_line(made("warning"), colour=True)


def test_for_programs() -> None:
    line = json_line(made("error", "größer", count=2, key=None))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "error",
        "message": "größer",
        "count": 2,
        "key": None,
    }


@pytest.mark.parametrize(("level", "number"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3)])
def test_priorities(level: str, number: int) -> None:
    assert prefixed_line(made(level, count=1)) == f"<{number}>key rotated count=1"
    assert f"PRIORITY={number}\n".encode() in journal_datagram(made(level), 1)


def test_for_the_journal() -> None:
    datagram = journal_datagram(made(request_id="r1", seconds=0.5, key=None), 42)
    assert datagram.decode().splitlines() == [
        "MESSAGE=key rotated request_id=r1 seconds=0.5",
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=claudegwd",
        "SYSLOG_PID=42",
        "LOGGER=claudegwd",
        "CLAUDEGWD_REQUEST_ID=r1",
        "CLAUDEGWD_SECONDS=0.5",
    ]


def test_a_newline_for_the_journal_comes_with_a_length() -> None:
    assert journal_datagram(made(text="a\nb"), 1).startswith(
        b"MESSAGE\n" + struct.pack("<Q", 3) + b"a\nb\nPRIORITY=6\n"
    )
