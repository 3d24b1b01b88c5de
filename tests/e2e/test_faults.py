"""A CLI that fails, at each state and in every way, played by the fake one."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from claudegwd.demo.replies import echo
from tests.e2e.daemon_process import Daemon
from tests.e2e.harness import Running, running, secret
from tests.e2e.test_notify import events, telling, until_told
from tests.fake_binary import write_fake_cli

# No real CLI here: the fake one speaks the same lines.
HISTORY = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": secret("second")},
]
TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]
NO_SPARES = "[workers]\nspares = 0\n"
BEFORE_THE_FIRST_TOKEN = ("start", "initialize", "settings", "append", "ask", "message")


@asynccontextmanager
async def faulty(tmp_path: Path, config: str = NO_SPARES, **settings: str | float) -> AsyncIterator[Running]:
    """A gateway whose CLI was good when it started, and is so no more."""
    cli = write_fake_cli(tmp_path, echo=1)
    async with running(echo(), cli=cli, config=config) as gateway:
        write_fake_cli(tmp_path, echo=1, **settings)
        yield gateway


async def recovers(gateway: Running, tmp_path: Path) -> None:
    """With a good CLI the next request is answered."""
    write_fake_cli(tmp_path, echo=1)
    assert (await gateway.ask("And now?", model="sonnet")).text == "And now?"
    await gateway.until_workers(busy=0)


@pytest.mark.parametrize("fault", ["crash", "nonsense"])
async def test_before_the_first_token_another_process_answers(tmp_path: Path, fault: str) -> None:
    async with faulty(tmp_path) as gateway:
        for state in BEFORE_THE_FIRST_TOKEN:
            once = tmp_path / state
            settings: dict[str, Any] = {fault: state, "once": str(once)}
            write_fake_cli(tmp_path, echo=1, **settings)
            question = {"role": "user", "content": secret(f"{fault} at {state}")}
            # A system prompt of its own, so that it gets a process of its own.
            system = {"role": "system", "content": state}
            answer = await gateway.ask([system, *HISTORY[:-1], question], model="sonnet")
            assert answer.text == question["content"]
            assert once.exists()  # it did happen
            await gateway.until_workers(busy=0)


@pytest.mark.parametrize("fault", ["crash", "nonsense", "huge"])
async def test_in_mid_stream_the_stream_ends_with_an_error(tmp_path: Path, fault: str) -> None:
    settings: dict[str, Any] = {fault: "streaming", "size": 1}
    async with faulty(tmp_path, **settings) as gateway:
        with pytest.raises(openai.APIError):
            await gateway.stream("a text of many deltas", model="sonnet")
        await gateway.until_workers(busy=0)
        await recovers(gateway, tmp_path)


@pytest.mark.parametrize("state", ["initialize", "message"])
async def test_a_huge_line_is_no_way_to_fill_the_memory(tmp_path: Path, state: str) -> None:
    async with faulty(tmp_path, huge=state) as gateway:
        before = gateway.daemon.memory()
        error = await gateway.refused("Hi.", model="sonnet")
        assert (error.status_code, error.code) == (500, "claude_cli_failed")
        assert gateway.daemon.memory() - before < 100 * 1024 * 1024
        await recovers(gateway, tmp_path)


async def test_one_that_hangs_is_given_up_at_the_requests_bound(tmp_path: Path) -> None:
    async with faulty(tmp_path, NO_SPARES + "[limits]\nrequest_seconds = 1") as gateway:
        for state in ("initialize", "settings", "append", "message", "streaming"):
            write_fake_cli(tmp_path, echo=1, hang=state)
            error = await gateway.refused(HISTORY, model="sonnet")
            assert error.status_code == 504, state
            await gateway.until_workers(busy=0)
        await recovers(gateway, tmp_path)


async def test_a_parked_one_that_crashes_is_replayed(tmp_path: Path) -> None:
    async with faulty(tmp_path, crash="tool", calls=1) as gateway:
        messages: list[dict[str, Any]] = [{"role": "user", "content": "call"}]
        answer = await gateway.ask(messages, model="sonnet", tools=TOOLS)
        assert answer.reason == "tool_calls"
        await gateway.until_workers(parked=0)
        write_fake_cli(tmp_path, echo=1)
        [call] = answer.message.tool_calls
        messages += [
            answer.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "r"},
            {"role": "user", "content": "and?"},
        ]
        assert (await gateway.ask(messages, model="sonnet", tools=TOOLS)).text == "and?"


async def test_one_that_crashes_after_its_answer_spoils_nothing(tmp_path: Path) -> None:
    async with faulty(tmp_path, crash="ended") as gateway:
        assert (await gateway.ask("whole", model="sonnet")).text == "whole"
        await recovers(gateway, tmp_path)


async def test_one_that_exits_at_once_is_not_started_in_a_circle(tmp_path: Path) -> None:
    async with faulty(tmp_path, "[workers]\nspares = 1\n", crash="start") as gateway:
        for worker in await gateway.workers():
            await gateway.kill(worker["pid"])

        async def is_said() -> bool:
            return (await gateway.http.get("/readyz")).status_code == 503

        await gateway.until(is_said)
        begun, exits = time.monotonic(), gateway.log.count("a CLI process failed")
        error = await gateway.refused("Hi.", model="sonnet")
        assert (error.status_code, error.code) == (500, "claude_cli_failed")
        assert "does not start" in (await gateway.status())["problem"]

        async def three_seconds_are_over() -> bool:
            return time.monotonic() > begun + 3

        await gateway.until(three_seconds_are_over)
        assert gateway.log.count("a CLI process failed") - exits <= 4
        write_fake_cli(tmp_path, echo=1)

        async def is_well_again() -> bool:
            return (await gateway.http.get("/readyz")).status_code == 200

        await gateway.until(is_well_again, 30)
        await recovers(gateway, tmp_path)


async def test_why_one_does_not_start_stands_in_the_status(tmp_path: Path) -> None:
    async with faulty(tmp_path, f"[workers]\nspares = 1\n{telling(tmp_path)}") as gateway:
        (tmp_path / "claude").write_text("#!/bin/sh\necho 'cannot parse .claude.json' >&2\nexit 1\n")
        for worker in await gateway.workers():
            await gateway.kill(worker["pid"])

        async def is_said() -> bool:
            return "cannot parse .claude.json" in (await gateway.status())["problem"]

        await gateway.until(is_said)
        assert "cannot parse .claude.json" in gateway.log
        # Everybody may ask for these; what a program writes as it fails may name paths.
        for path in ("/health", "/readyz"):
            told = (await gateway.http.get(path)).text
            assert "does not start" in told
            assert "cannot parse" not in told
        await until_told(gateway, tmp_path, [("cli_failing", "claude")])
        write_fake_cli(tmp_path, echo=1)


async def test_one_that_starts_slowly_is_waited_for(tmp_path: Path) -> None:
    async with faulty(tmp_path, slow=1500) as gateway:
        answer = await gateway.ask("Take your time.", model="sonnet")
        assert (answer.how, answer.text) == ("cold", "Take your time.")


async def test_one_that_ignores_every_signal_but_the_last_cannot_delay_the_end(tmp_path: Path) -> None:
    async with faulty(tmp_path, "[workers]\nmax = 3\n", stubborn=1) as gateway:
        for number in range(2):
            await gateway.ask(f"Conversation {number}.", model="sonnet")
        begun = time.monotonic()
        gateway.daemon.signal(signal.SIGTERM)
        await gateway.ended()
        assert time.monotonic() - begun < 8


def test_without_a_cli_it_says_what_to_do(tmp_path: Path) -> None:
    daemon = Daemon("http://127.0.0.1:9", config=f'[claude]\nbinary = "{tmp_path}/nowhere"')
    try:
        assert daemon.spawn().wait(30) == 78
        [line] = daemon.log().splitlines()
        assert "claude.binary" in line
    finally:
        daemon.remove()


def test_a_cli_that_ends_at_once_has_said_why(tmp_path: Path) -> None:
    cli = tmp_path / "claude"
    cli.write_text("#!/bin/sh\necho 'cannot parse .claude.json' >&2\nexit 1\n")
    cli.chmod(0o755)
    daemon = Daemon("http://127.0.0.1:9", cli=cli, config=telling(tmp_path))
    try:
        assert daemon.spawn().wait(30) != 0
        assert "cannot parse .claude.json; run `claudegwctl doctor`" in daemon.log()
        assert events(tmp_path) == [("cli_failing", "claude")]
    finally:
        daemon.remove()
