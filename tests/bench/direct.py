"""The CLI driven without a gateway: what the gateway is compared with."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from claudegwd.claude_cli import commands, launch
from claudegwd.claude_cli.lines import LineDecoder


@dataclass(slots=True)
class Turn:
    """One turn. Times are time.monotonic_ns()."""

    sent: int
    deltas: list[tuple[int, bytes]] = field(default_factory=list)  # arrival and line of each text delta
    stopped: int = 0  # when the stop reason came: the answer is whole

    @property
    def first_token(self) -> float:
        return (self.deltas[0][0] - self.sent) / 1e9 if self.deltas else float("nan")

    @property
    def total(self) -> float:
        return (self.stopped - self.sent) / 1e9


class DirectCli:
    """One CLI process."""

    def __init__(self, process: trio.Process, started: int, base_url: str | None, model: str) -> None:
        self._process = process
        self._decoder = LineDecoder()
        self._lines: list[tuple[int, bytes]] = []
        self._base_url = base_url
        self._model = model
        self.started = started

    async def prepare(self, tools: Sequence[Mapping[str, Any]] = ()) -> None:
        """System prompt, tools, model and credentials; wait for the answers."""
        await self._send(self.preparation(tools))
        await self.until(b'"request_id":"b2"')

    def preparation(self, tools: Sequence[Mapping[str, Any]] = ()) -> bytes:
        credentials = {"ANTHROPIC_AUTH_TOKEN": "sk-false-1", "ANTHROPIC_API_KEY": ""}
        env = {**credentials, "ANTHROPIC_BASE_URL": self._base_url or ""}
        server = launch.TOOL_SERVER if tools else None
        begin = commands.initialize("b1", system="", server=server, tools=tools)
        return begin + commands.settings("b2", {"model": self._model, "env": env})

    async def append(self, user: str, assistant: str) -> None:
        """Two messages of an earlier conversation."""
        await self._send(commands.append_user(user))
        await self.until(b'"type":"result"')
        await self._send(commands.append_assistant([{"type": "text", "text": assistant}]))

    async def ask(self, text: str, before: bytes = b"", sent: int | None = None) -> Turn:
        turn = Turn(time.monotonic_ns() if sent is None else sent)
        return await self._turn(turn, before + commands.ask(text))

    async def _turn(self, turn: Turn, lines: bytes) -> Turn:
        await self._send(lines)
        while True:
            at, line = await self._next()
            if b'"type":"text_delta"' in line:
                turn.deltas.append((at, line))
            elif b'"type":"message_delta"' in line:
                turn.stopped = at
            elif b'"type":"result"' in line and turn.stopped:
                return turn

    async def call(self, text: str) -> Mapping[str, Any]:
        """Ask for a call of the first tool; the CLI's request to us to make it."""
        await self._send(commands.ask(text))
        line = await self.until(b'"tools/call"')
        await self.until(b'"message_stop"')
        made: Mapping[str, Any] = json.loads(line)
        return made

    async def result(self, call: Mapping[str, Any], text: str) -> Turn:
        """Give the call its result, and read the rest of the turn."""
        result = {"content": [{"type": "text", "text": text}]}
        ident = call["request"]["message"]["id"]
        answer = commands.mcp_answer(call["request_id"], {"jsonrpc": "2.0", "id": ident, "result": result})
        return await self._turn(Turn(time.monotonic_ns()), answer)

    async def clear(self) -> None:
        await self._send(commands.clear())
        await self.until(b'"type":"result"')

    async def until(self, mark: bytes) -> bytes:
        while True:
            _, line = await self._next()
            if mark in line:
                return line

    async def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(data)

    async def _next(self) -> tuple[int, bytes]:
        assert self._process.stdout is not None
        while not self._lines:
            data = await self._process.stdout.receive_some(65536)
            if not data:
                raise RuntimeError("cannot go on: the CLI ended")
            at = time.monotonic_ns()
            self._lines = [(at, bytes(line)) for line in self._decoder.feed(bytes(data))]
        return self._lines.pop(0)


@asynccontextmanager
async def direct_cli(binary: Path, *, base_url: str | None, model: str) -> AsyncIterator[DirectCli]:
    """Start a CLI just as the gateway would."""
    with tempfile.TemporaryDirectory(prefix="claudegwd-bench-") as home:
        own = {"PATH": os.environ["PATH"]}
        env = launch.environment(own, home=Path(home), keys_configured=True, tool_seconds=60.0)
        started = time.monotonic_ns()
        process = await trio.lowlevel.open_process(
            launch.argv(binary, bare=True), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=env, cwd=home,
        )  # fmt: skip
        try:
            yield DirectCli(process, started, base_url, model)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
