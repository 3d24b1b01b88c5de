"""A real program each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from claudegwd.notify.command import COMMAND_SECONDS, OUTPUT_BYTES, run_command
from claudegwd.notify.errors import DeliveryError, TryAgainError

BODY = b'{"event": "test"}\n'
ENV = {"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": "sk-false-1", "TZ": "UTC"}


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "tell"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return (str(file), str(tmp_path), "$HOME; touch /nonexistent")


async def test_it_reads_the_notice_and_nothing_of_the_daemon(tmp_path: Path) -> None:
    await run_command(
        script(tmp_path, 'cat > "$1/body"; env > "$1/env"; echo "$2" > "$1/word"; pwd > "$1/pwd"'), ENV, BODY
    )
    assert (tmp_path / "body").read_bytes() == BODY
    assert "TZ=UTC" in (tmp_path / "env").read_text()
    assert "sk-false-1" not in (tmp_path / "env").read_text()
    assert (tmp_path / "word").read_text() == "$HOME; touch /nonexistent\n", "no shell has read it"
    assert (tmp_path / "pwd").read_text() == "/\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo '  no\n mail ' >&2; exit 3", "the command exited with status 3: no mail"),
        ("exit 4", "the command exited with status 4"),
        ("kill -9 $$", "the command was killed by signal 9"),
        ("echo sk-false-12345678 >&2; exit 1", "the command exited with status 1: [redacted]"),
    ],
)
async def test_why_it_failed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DeliveryError) as failed:
        await run_command(script(tmp_path, text), ENV, BODY)
    assert str(failed.value) == says
    assert not isinstance(failed.value, TryAgainError), "it may have told half of it"


async def test_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="the command cannot be started: No such file"):
        await run_command((str(tmp_path / "absent"),), ENV, BODY)


async def test_one_that_reads_nothing_is_well(tmp_path: Path) -> None:
    await run_command(script(tmp_path, "exit 0"), ENV, b"x" * 1_000_000)


async def test_what_it_says_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as failed:
        await run_command(script(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1"), ENV, BODY)
    assert len(str(failed.value)) < OUTPUT_BYTES + 100


async def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, autojump_clock: object) -> None:
    words = script(
        tmp_path, 'trap "" TERM; echo no server >&2; sleep 1000 & echo $! > "$1/child"; echo $$ > "$1/own"; sleep 1000'
    )
    started = trio.current_time()
    with pytest.raises(DeliveryError, match="took more than 10 s and was killed"):
        await run_command(words, ENV, BODY)
    assert trio.current_time() - started >= COMMAND_SECONDS


async def test_what_it_leaves_behind_is_ended(tmp_path: Path) -> None:
    await run_command(script(tmp_path, 'sleep 1000 & echo $! > "$1/child"'), ENV, BODY)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "cmdline"
    with trio.fail_after(10):
        while child.exists() and child.read_bytes():
            await trio.sleep(0.01)


async def test_whoever_gives_up_leaves_no_process(tmp_path: Path) -> None:
    words = script(tmp_path, 'echo $$ > "$1/own.new"; mv "$1/own.new" "$1/own"; exec sleep 1000')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_command, words, ENV, BODY)
        with trio.fail_after(10):
            while not (tmp_path / "own").exists():
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert not (Path("/proc") / (tmp_path / "own").read_text().strip()).exists()
