"""The CLI's transcript is read as it was written, and nothing else in its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from claudegwd.workspaces import cli_session
from claudegwd.workspaces.cli_session import CliSession, is_complete, put_transcript, read_transcript

IDENT = "0e00225f-4e7c-41d3-b154-e0f3795fabb1"
SESSION = CliSession(IDENT, "-srv-shop", b'{"type":"user"}\n')


def place(home: Path) -> Path:
    return home / ".claude" / "projects" / "-srv-shop" / f"{IDENT}.jsonl"


def test_what_is_put_there_is_read_there(tmp_path: Path) -> None:
    assert read_transcript(tmp_path, IDENT) is None
    put_transcript(tmp_path, SESSION)
    assert place(tmp_path).stat().st_mode & 0o777 == 0o600
    assert read_transcript(tmp_path, IDENT) == SESSION


def test_what_was_paid_is_left_out(tmp_path: Path) -> None:
    put_transcript(tmp_path, SESSION)
    with place(tmp_path).open("ab") as file:
        file.write(b'{"type":"cost-state","totalCostUSD":9}\n{"type":"mode"}\n')
    found = read_transcript(tmp_path, IDENT)
    assert found is not None
    assert found.transcript == b'{"type":"user"}\n{"type":"mode"}\n'


TRICKS = ("a link", "a second name", "a linked folder", "a linked place", "a pipe", "too large")


@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_else_in_its_place(tmp_path: Path, trick: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    put_transcript(home, SESSION)
    put_transcript(outside, CliSession(IDENT, "-srv-shop", b"a secret"))
    file, secret = place(home), place(outside)
    match trick:
        case "a link":
            file.unlink()
            file.symlink_to(secret)
        case "a second name":
            file.unlink()
            file.hardlink_to(secret)
        case "a linked folder":
            file.unlink()
            file.parent.rmdir()
            file.parent.symlink_to(secret.parent)
        case "a linked place":
            (home / ".claude").rename(tmp_path / "away")
            (home / ".claude").symlink_to(outside / ".claude")
        case "a pipe":
            file.unlink()
            os.mkfifo(file)
        case "too large":
            file.write_bytes(b"x" * (cli_session.MAX_TRANSCRIPT_BYTES + 1))
    assert read_transcript(home, IDENT) is None


def line(kind: str, content: Any) -> bytes:
    return json.dumps({"type": kind, "message": {"content": content}}).encode() + b"\n"


ASKED = line("user", "Read it.")
CALLED = line("assistant", [{"type": "tool_use", "id": "t"}])
RETURNED = line("user", [{"type": "tool_result", "content": [{"type": "text", "text": "a file"}]}])
SAID = line("assistant", [{"type": "text", "text": "All done."}])
OTHER = b'{"type":"last-prompt","lastPrompt":"x"}\n'


@pytest.mark.parametrize(
    ("transcript", "stopped", "complete"),
    [
        (ASKED + SAID + OTHER, False, True),
        (ASKED + CALLED + RETURNED + SAID, False, True),
        (ASKED + CALLED + RETURNED, False, False),
        (ASKED + line("assistant", [{"type": "text", "text": "Another answer."}]), False, False),
        (ASKED + SAID + b'{"type":"user","mess', False, False),
        (ASKED + line("assistant", [{"type": "thinking", "thinking": "Done?"}]), False, False),
        (ASKED + CALLED + RETURNED + OTHER, True, True),
        (ASKED + CALLED, True, False),
        (b"", False, False),
    ],
)
def test_whether_it_is_complete(transcript: bytes, stopped: bool, complete: bool) -> None:
    assert is_complete(transcript, "Step 1.\n\nAll done.\n", stopped=stopped) is complete
