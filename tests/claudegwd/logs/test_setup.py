from __future__ import annotations

import io
import json
import logging
import os
import pty
import socket
import warnings
from pathlib import Path

from claudegwd.config.schema import LogConfig
from claudegwd.logs import LogRing, event, log, setup
from claudegwd.logs.journal import Journal
from claudegwd.redact import REDACTED, know_tokens


def test_people_read_one_line_for_each_record() -> None:
    stream, ring = io.StringIO(), LogRing()
    setup(LogConfig(), {}, ring, stream=stream)
    event(log, logging.INFO, "listening", bind="127.0.0.1:8000")
    event(log, logging.DEBUG, "not at this level")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("Z info    listening bind=127.0.0.1:8000")
    assert [entry.text for entry in ring.tail(5)] == ["listening"]


def test_programs_read_json() -> None:
    stream = io.StringIO()
    setup(LogConfig(format="json"), {}, LogRing(), stream=stream)
    event(log, logging.ERROR, "cannot answer", status=500)
    assert json.loads(stream.getvalue())["status"] == 500


def test_a_reload_changes_level_and_format() -> None:
    stream = io.StringIO()
    handler = setup(LogConfig(level="error"), {}, LogRing(), stream=stream)
    event(log, logging.INFO, "quiet")
    handler.configure(LogConfig(level="debug", format="json"))
    event(log, logging.DEBUG, "loud")
    assert json.loads(stream.getvalue())["message"] == "loud"


def test_libraries_go_through_the_same_redaction() -> None:
    stream = io.StringIO()
    know_tokens(["false-token-of-a-library"])
    setup(LogConfig(level="debug"), {}, LogRing(), stream=stream)
    logging.getLogger("hypercorn.error").info("quiet")
    logging.getLogger("hypercorn.error").warning("saw %s", "false-token-of-a-library")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("sk-false-0123456789", stacklevel=1)
    first, second = stream.getvalue().splitlines()
    assert first.endswith(f"warning saw {REDACTED}")
    assert "sk-false" not in second


def test_setting_up_twice_writes_once() -> None:
    stream = io.StringIO()
    setup(LogConfig(), {}, LogRing(), stream=io.StringIO())
    setup(LogConfig(), {}, LogRing(), stream=stream)
    event(log, logging.INFO, "once")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_gets_colour_unless_it_says_no() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        setup(LogConfig(), {}, LogRing(), stream=stream)
        event(log, logging.INFO, "coloured")
        assert b"\x1b[32minfo" in os.read(leader, 1000)
        setup(LogConfig(), {"NO_COLOR": "1"}, LogRing(), stream=stream)
        event(log, logging.INFO, "plain")
        assert b"\x1b" not in os.read(leader, 1000)
    os.close(leader)


def test_under_systemd_the_journal_gets_it_and_stderr_does_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, (tmp_path / "err").open("w+") as stream:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        found = os.fstat(stream.fileno())
        env = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        handler = setup(LogConfig(), env, LogRing(), stream=stream, journal=lambda: Journal(tmp_path / "journal"))
        event(log, logging.INFO, "ready", count=1)
        assert b"MESSAGE=ready count=1\n" in sock.recv(1000)
        handler.configure(LogConfig(format="console"))
        event(log, logging.INFO, "on stderr now")
        (line,) = (tmp_path / "err").read_text().splitlines()
        assert line.endswith("info    on stderr now")


def test_without_the_journals_socket_stderr_carries_the_priority(tmp_path: Path) -> None:
    stream = io.StringIO()
    setup(LogConfig(format="journal"), {}, LogRing(), stream=stream, journal=lambda: Journal(tmp_path / "absent"))
    event(log, logging.ERROR, "cannot answer")
    assert stream.getvalue() == "<3>cannot answer\n"


def test_a_full_disk_behind_stderr_ends_nothing() -> None:
    ring = LogRing()
    with Path("/dev/full").open("w") as stream:
        handler = setup(LogConfig(), {}, ring, stream=stream)
        event(log, logging.INFO, "lost")
        assert handler.lost == 1
        # What Python still holds of it would be written at close.
        os.dup2(os.open("/dev/null", os.O_WRONLY), stream.fileno())
    assert ring.tail(1)[0].text == "lost"
