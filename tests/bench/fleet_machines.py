"""The fleet that tests.bench.fleet tries: daemons, the real HAProxy with our configuration, a real Valkey or Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trio

from tests.bench.programs import ROOT
from tests.e2e.daemon_process import Daemon, free_port
from tests.e2e.haproxy_process import SERVERS, HAProxy, short_home
from tests.fake_binary import write_fake_cli
from tests.redis_server import RedisServer, redis_server

WORKERS = 4  # of each machine
AT_ONCE = 24  # conversations
PATIENCE_SECONDS = 60.0
DEAD = {"name": "dead", "token": "sk-false-revoked-fail-401-0001"}
GOOD = {"name": "good", "token": "sk-false-good-0002"}


class Fleet:
    """Three machines, or one with all their workers, behind HAProxy."""

    def __init__(self, home: Path, store: RedisServer, count: int, cli: Cli, stack: ExitStack) -> None:
        self.store = store
        self.model = cli.model
        self._asked_file = cli.asked_file
        secret = home / "secret"
        secret.touch(0o600)
        secret.write_text("false-secret-of-the-machines-0123456789")
        self.daemons = []
        for number in range(count):
            workers = WORKERS * len(SERVERS) // count
            config = (
                f'[server]\nbind = ["127.0.0.1:{free_port()}"]\ntrusted_proxies = ["127.0.0.1"]\n'
                f'allowed_hosts = ["gateway.example.org"]\n[claude]\nmodels = {json.dumps([cli.model])}\n'
                f"[limits]\nrequests_per_minute = 0\nqueue = 1000\n[workers]\nmax = {workers}\nspares = {workers}\n"
                f'[shared]\nurl = "{store.url}"\nmachine = "m{number}"\nsecret_file = "{secret}"\n'
                'local_share = 0.34\n[log]\nlevel = "info"\n'
            )
            daemon = Daemon(cli.upstream, (DEAD, GOOD), config, cli=cli.binary)
            stack.callback(daemon.remove)
            self.daemons.append(daemon)
        for daemon in self.daemons:
            daemon.spawn()
        for daemon in self.daemons:
            daemon.wait_until_ready()
        ports = [daemon.port for daemon in self.daemons] * (len(SERVERS) // count)
        self.proxy = HAProxy(home, ports)
        stack.enter_context(self.proxy.running())

    def client(self, key: str = "any") -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{self.proxy.port}", verify=self.proxy.trust(), timeout=PATIENCE_SECONDS,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE),
            headers={"host": "gateway.example.org", "authorization": f"Bearer {key}"},
        )  # fmt: skip

    async def control(self, daemon: Daemon, method: str, path: str, body: Any = None) -> Any:
        transport = httpx.AsyncHTTPTransport(uds=str(daemon.socket))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://control", timeout=PATIENCE_SECONDS
        ) as client:
            return (await client.request(method, path, json=body)).json()

    async def until(self, holds: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            while not holds():
                await trio.sleep(0.05)

    async def dead_asked(self) -> int:
        """How often the dead key was asked, by all machines together: as the upstream counts, or else they."""
        if self._asked_file is not None:
            return self._asked_file.read_text().count("refused")
        rows = [row for daemon in self.daemons for row in (await self.control(daemon, "GET", "/v1/status"))["keys"]]
        return sum(row["requests"] for row in rows if row["name"] == DEAD["name"])


@contextmanager
def fleet(count: int, seconds: float, *, real: bool = False) -> Iterator[Fleet]:
    """Answers take so many seconds; `real`: by the real CLI and the scripted upstream, else by the fake one alone."""
    with short_home() as home, redis_server() as store, ExitStack() as stack:
        cli = stack.enter_context(real_cli(home, seconds)) if real else fake_cli(home, seconds)
        yield Fleet(home, store, count, cli, stack)


@dataclass(frozen=True)
class Cli:
    """Whom the machines ask: each answer is the question."""

    binary: Path | None  # None: the real one
    upstream: str
    model: str
    asked_file: Path | None = None  # where the upstream writes a line for each key that it has refused


def fake_cli(home: Path, seconds: float) -> Cli:
    return Cli(write_fake_cli(home), "http://127.0.0.1:9", f"fake-echo-1-think-{seconds * 1000:.0f}")


@contextmanager
def real_cli(home: Path, seconds: float) -> Iterator[Cli]:
    """With an upstream that is a process of its own."""
    asked_file = home / "asked"
    command = [sys.executable, "-m", "tests.bench.upstream", f"--pause={seconds}", f"--asked={asked_file}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Cli(None, f"http://127.0.0.1:{int(process.stdout.readline())}", "sonnet", asked_file)
        finally:
            process.kill()
