"""`claudegwctl chat` against a whole gateway: from a script, through a pipe, and at a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from claudegwd.demo.replies import echo
from tests.control_cli import ctl, environment
from tests.e2e.harness import Running, running

pytestmark = pytest.mark.cli


async def test_a_question_as_argument_and_through_a_pipe(gateway: Running) -> None:
    done = await ctl(gateway.daemon.socket, "chat", "-s", "be brief", "one", "two", stdin="three\n")
    assert done.status == 0, done.err
    assert "one two" in done.out
    assert "three" in done.out
    assert " tokens · first token after " in done.err
    assert " · worker " in done.err
    assert "be brief" in str(gateway.upstream()[-1].body["system"])
    told = (await ctl(gateway.daemon.socket, "--json", "chat", "-m", "haiku", "four")).json
    assert "haiku" in told["model"]
    assert told["completion_tokens"] > 0


async def test_without_a_question_and_with_a_wrong_model(gateway: Running) -> None:
    done = await ctl(gateway.daemon.socket, "chat")
    assert (done.status, done.err[:23]) == (2, "cannot ask: no question")
    done = await ctl(gateway.daemon.socket, "chat", "-m", "nobody", "hello")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)


async def test_a_key_that_the_gateway_does_not_know(gateway: Running) -> None:
    done = await ctl(gateway.daemon.socket, "chat", "hello", GATEWAY_KEY="cgw-false")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cannot chat: the key in GATEWAY_KEY is not accepted: it is unknown; ")


async def test_where_a_key_is_asked_for() -> None:
    async with running(echo(), config="[auth]\nrequired = true") as gateway:
        socket = gateway.daemon.socket
        done = await ctl(socket, "chat", "hello")
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("cannot chat: the gateway requires a client key; set GATEWAY_KEY")
        done = await ctl(socket, "chat", "--temporary-key", "hello")
        assert (done.status, "hello" in done.out) == (0, True)
        assert (await ctl(socket, "clients", "list", "--json")).json == {"clients": []}
        key = (await ctl(socket, "clients", "create", "own")).out.strip()
        gateway.daemon.secrets.add(key)
        assert (await ctl(socket, "chat", "hello", GATEWAY_KEY=key)).status == 0
        assert (await ctl(socket, "clients", "set", "own", "--models", "haiku")).status == 0
        done = await ctl(socket, "chat", "-m", "opus", "hello", GATEWAY_KEY=key)
        assert (done.status, done.err.startswith("cannot chat with 'opus': use haiku, ")) == (1, True)


async def test_the_prompt_is_not_in_the_output(gateway: Running) -> None:
    mine, theirs = pty.openpty()
    os.write(mine, b"hello\n\x04")
    command = [sys.executable, "-m", "claudegwctl", "--socket", str(gateway.daemon.socket), "--json", "chat"]
    done = await trio.run_process(command, stdin=theirs, capture_stdout=True, env=environment())
    os.close(theirs)
    os.close(mine)
    assert "hello" in json.loads(done.stdout)["text"]


def _at_a_terminal(socket: Path, typed: str) -> str:
    """What a person would see who types that, line by line, each after a prompt."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "chat"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM="dumb"))
    os.close(theirs)
    seen, lines = b"", typed.splitlines()
    while select.select([mine], [], [], 60)[0]:
        try:
            seen += os.read(mine, 65536)
        except OSError:  # closed: it has ended
            break
        if seen.endswith(b"> ") and lines:
            os.write(mine, lines.pop(0).encode() + b"\n")
    os.close(mine)
    assert process.wait(10) == 0
    return seen.decode()


async def test_a_conversation(gateway: Running) -> None:
    typed = "/model haiku\nfirst\n//second\n/image /nowhere.png\n/quit\n"
    seen = await trio.to_thread.run_sync(_at_a_terminal, gateway.daemon.socket, typed)
    assert "the model is haiku" in seen
    assert "cannot read /nowhere.png" in seen
    last = gateway.upstream()[-1]
    assert [message["role"] for message in last.messages] == ["user", "assistant", "user"]
    assert "/second" in str(last.messages[-1])
