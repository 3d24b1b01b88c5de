"""The real dashboard as a process of its own, and a browser's part of it without a browser."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trio

from tests.control_cli import environment
from tests.plain_http import blocking_client

# What the page sends along with a change.
MARK = {"x-claudegwctl": "1", "content-type": "application/json"}
END_SECONDS = 10.0


@dataclass
class Dashboard:
    """`link` works once."""

    process: subprocess.Popen[str]
    link: str

    @property
    def origin(self) -> str:
        return self.link.partition("/?")[0]

    def enter(self) -> Visitor:
        """What a browser does with the link."""
        client = blocking_client(self.origin, timeout=30)
        answer = client.get(self.link)
        [place] = re.findall(r'url=([^"]+)"', answer.text)
        return Visitor(client, self.origin, place)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """As Ctrl-C does; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


@dataclass
class Visitor:
    """Whoever has exchanged the link for the cookie; `place` is the path of the page."""

    client: httpx.Client
    origin: str
    place: str

    def get(self, path: str = "", **more: Any) -> httpx.Response:
        return self.client.get(self.place + path, **more)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        sent = {**MARK, "origin": self.origin} if headers is None else headers
        return self.client.post(self.place + path, content=json.dumps(body), headers=sent)


@asynccontextmanager
async def dashboard(socket: Path, *options: str, **env: str) -> AsyncIterator[Dashboard]:
    """One that serves. What blocks is done in a thread: the daemon may be in the test's own loop."""
    command = [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "dashboard", "--no-open", *options]
    process = subprocess.Popen(
        command, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            line = (await trio.to_thread.run_sync(process.stdout.readline)).strip()
            assert line, process.stderr.read()
            yield Dashboard(process, json.loads(line)["url"] if "--json" in options else line)
        finally:
            process.terminate()
            process.wait(END_SECONDS)
