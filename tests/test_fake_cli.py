"""The fake CLI does as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fake_binary import write_fake_cli
from tests.talking import Line, Talk, settings, talk, user

SERVER = {
    "gw": {
        "initializeResult": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "gw", "version": "1"},
        },
        "toolsListResult": {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in ("alpha", "beta")]},
    }
}


@contextmanager
def fake(tmp_path: Path, **settings: str | float) -> Iterator[Talk]:
    with talk(write_fake_cli(tmp_path, **settings), {"PATH": os.environ["PATH"]}, tmp_path) as started:
        yield started


def said(lines: list[Line]) -> list[str]:
    events = [line["event"] for line in lines if line["type"] == "stream_event"]
    return [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]


def test_says_its_version_at_once(tmp_path: Path) -> None:
    binary = write_fake_cli(tmp_path)
    assert subprocess.check_output([binary, "--version"]) == b"9.9.9 (fake)\n"


def test_answers_as_told_by_the_environment_and_by_the_model(tmp_path: Path) -> None:
    with fake(tmp_path, deltas=3, size=2) as cli:
        cli.send(user("hi"))
        assert said(cli.result()) == [" 0", " 1", " 2"]
        cli.send(settings(cli, "fake-deltas-1-size-4"), user("hi"))
        assert said(cli.result()) == ["   0"]
        cli.send(settings(cli, "fake-echo-1"), user([{"type": "text", "text": "say this \ud83d"}]))
        assert "".join(said(cli.result())) == "say this \ud83d"


def test_appending_is_acknowledged_and_empty_content_asks_again(tmp_path: Path) -> None:
    with fake(tmp_path, echo=1) as cli:
        cli.send(user("first", shouldQuery=False))
        assert cli.result()[-1]["num_turns"] == 0
        cli.send(user([]))
        assert said(cli.result()) == ["first"]


def test_clear_starts_another_session(tmp_path: Path) -> None:
    with fake(tmp_path) as cli:
        cli.send(user("a"))
        before = cli.result()[-1]["session_id"]
        cli.send(user("/clear"))
        assert cli.result()[-1]["session_id"] != before


def test_goes_on_after_max_tokens_unless_interrupted(tmp_path: Path) -> None:
    body = json.dumps({"max_tokens": 1})
    with fake(tmp_path) as cli:
        cli.send(settings(cli, "fake", CLAUDE_CODE_EXTRA_BODY=body), user("a"))
        reasons = [line["event"]["delta"]["stop_reason"] for line in cli.result() if message_delta(line)]
        assert reasons == ["max_tokens"] * 4
        cli.send(user("a"))
        cli.until(message_delta)
        cli.send(cli.control("interrupt"))
        rest = cli.result()
        assert rest[-1]["terminal_reason"] == "aborted_streaming"
        assert len([line for line in rest if message_delta(line)]) < 3


def test_takes_the_limit_from_the_setting_too(tmp_path: Path) -> None:
    with fake(tmp_path) as cli:
        cli.send(settings(cli, "fake-size-3", CLAUDE_CODE_MAX_OUTPUT_TOKENS="2"), user("a"))
        assert "".join(said(cli.until(message_delta))) == "  0  1  "


def message_delta(line: Line) -> bool:
    return bool(line["type"] == "stream_event" and line["event"]["type"] == "message_delta")


def test_calls_tools_and_goes_on_when_all_are_answered(tmp_path: Path) -> None:
    with fake(tmp_path, calls=2, deltas=1, size=1) as cli:
        cli.send(cli.control("initialize", sdkMcpServers=["gw"], sdkMcpServerManifests=SERVER), user("go"))
        seen = cli.until(lambda line: line["type"] == "stream_event" and line["event"]["type"] == "message_stop")
        calls = [line for line in seen if line["type"] == "control_request"]
        assert [call["request"]["message"]["params"]["name"] for call in calls] == ["alpha", "beta"]
        for call in calls:
            cli.send({"type": "control_response", "response": {"subtype": "success", "request_id": call["request_id"]}})
        assert said(cli.result()) == ["0"]


@pytest.mark.parametrize(("word", "status"), [("fail-401", 401), ("fail-credit", 400), ("fail-529", 529)])
def test_fails_by_token(tmp_path: Path, word: str, status: int) -> None:
    with fake(tmp_path) as cli:
        cli.send(settings(cli, "fake", ANTHROPIC_AUTH_TOKEN=f"sk-false-{word}"), user("hi"))
        error, result = cli.result()[-2:]
        assert (error["is_api_error_message"], error["api_error_status"]) == (True, status)
        assert (result["is_error"], result["terminal_reason"]) == (True, "api_error")
        cli.send(settings(cli, "fake", ANTHROPIC_AUTH_TOKEN="sk-false-1"), user([]))
        assert cli.result()[-1]["is_error"] is False


@pytest.mark.parametrize("state", ["start", "initialize", "settings", "append", "ask", "message", "streaming", "ended"])
def test_crashes_where_told_and_only_once(tmp_path: Path, state: str) -> None:
    for status in (1, 0):
        with fake(tmp_path, crash=state, once=str(tmp_path / "happened")) as cli:
            assert cli.process.stdin is not None
            lines = [cli.control("initialize"), settings(cli, "fake"), user("a", shouldQuery=False), user("b")]
            cli.process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            cli.process.stdin.close()
            cli.until(lambda line: False)
            assert cli.process.wait(10) == status


def test_writes_nonsense_and_huge_lines(tmp_path: Path) -> None:
    with fake(tmp_path, nonsense="start", huge="ask") as cli:
        cli.send(user("a"))
        assert cli.process.stdout is not None
        assert not cli.process.stdout.readline().startswith(b"{")
        assert len(cli.process.stdout.readline()) > 64 * 1024 * 1024


def test_ends_as_the_real_one_does(tmp_path: Path) -> None:
    with fake(tmp_path) as cli:
        cli.send(user("a"))
        cli.result()
        cli.process.terminate()
        assert cli.process.wait(10) == 143
    with fake(tmp_path, stubborn=1) as cli:
        cli.send(user("a"))
        cli.result()
        cli.process.terminate()
        cli.send(user("b"))
        assert cli.result()
    with fake(tmp_path) as cli:
        assert cli.process.stdin is not None
        cli.process.stdin.write(b"{nonsense\n")
        cli.process.stdin.close()
        assert cli.process.wait(10) == 1


def test_stamps_tell_when_a_delta_was_written(tmp_path: Path) -> None:
    with fake(tmp_path, stamp=1, gap=20, deltas=3) as cli:
        cli.send(user("a"))
        stamps = [int(text) for text in said(cli.result())]
        assert 0.015e9 < stamps[1] - stamps[0] < 1e9
        assert 0 < time.monotonic_ns() - stamps[2] < 1e9
