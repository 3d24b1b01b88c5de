"""The formats of a log line: for people, for programs, for the journal. Pure."""

from __future__ import annotations

import json
import struct
from typing import Final

from claudegwd.logs.entry import LogEntry, timestamp

# syslog's numbers, which systemd also reads from a "<3>" at the start of a line.
PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_COLOURS: Final = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


def console_line(entry: LogEntry, *, colour: bool = False) -> str:
    """`2026-01-31T12:00:00.000Z info    listening bind=127.0.0.1:8000`, without the newline."""
    level = f"{entry.level:<7}"
    if colour:
        level = f"{_COLOURS[entry.level]}{level}{_PLAIN}"
    return " ".join([timestamp(entry.time), level, entry.text, *_pairs(entry)])


def prefixed_line(entry: LogEntry) -> str:
    """For a journal that is only reached by stderr: it adds the time, and takes the priority from the prefix."""
    return " ".join([f"<{PRIORITIES[entry.level]}>{entry.text}", *_pairs(entry)])


def json_line(entry: LogEntry) -> str:
    """One JSON object, without the newline."""
    return json.dumps(entry.as_dict(), ensure_ascii=False, separators=(",", ":"))


def journal_datagram(entry: LogEntry, pid: int) -> bytes:
    """systemd's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): our fields are named CLAUDEGWD_…

    They are repeated in the message, because by default journalctl shows nothing else of a record.
    """
    fields = [
        ("MESSAGE", " ".join([entry.text, *_pairs(entry)])),
        ("PRIORITY", str(PRIORITIES[entry.level])),
        ("SYSLOG_IDENTIFIER", "claudegwd"),
        ("SYSLOG_PID", str(pid)),
        ("LOGGER", entry.logger),
    ]
    fields += [(f"CLAUDEGWD_{name.upper()}", _text(value)) for name, value in entry.fields.items() if value is not None]
    return b"".join(_journal_field(name, value) for name, value in fields)


def _journal_field(name: str, text: str) -> bytes:
    value = text.encode(errors="replace")
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


def _pairs(entry: LogEntry) -> list[str]:
    return [f"{name}={_quoted(_text(value))}" for name, value in entry.fields.items() if value is not None]


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case _:
            return str(value)


def _quoted(text: str) -> str:
    if text and not any(character in text for character in ' "=\\'):
        return text
    return json.dumps(text, ensure_ascii=False)
