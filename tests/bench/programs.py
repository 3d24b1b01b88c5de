"""The programs that a benchmark runs: the endpoint, and gateways as users start them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from tests.bench.client import Client, Cut

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 90.0
POLL_SECONDS = 0.01  # fine enough to time a start, and no load of its own


@asynccontextmanager
async def upstream(*, deltas: int = 8, gap: float = 0.0) -> AsyncIterator[str]:
    """The scripted endpoint; its base URL."""
    command = [sys.executable, "-m", "tests.bench.upstream", f"--deltas={deltas}", f"--gap={gap}"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(await trio.to_thread.run_sync(process.stdout.readline))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.kill()
        process.wait()


class RefusedError(RuntimeError):
    """The control face did not do it."""


class Gateway:
    """A running daemon."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes], port: int, ready_seconds: float) -> None:
        self.directory = directory
        self.process = process
        self.port = port
        self.ready_seconds = ready_seconds
        self._control: Client | None = None
        self._one_control = trio.Lock()

    async def client(self) -> Client:
        return await Client.tcp(self.port)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control face, on one connection. Raises RefusedError for what it does not do."""
        async with self._one_control:
            try:
                answer = await (await self._controller()).request(method, path, body)
            except (Cut, OSError):  # idle for long, it was closed: once more on a new one
                self._control = None
                answer = await (await self._controller()).request(method, path, body)
            except trio.Cancelled:
                self._control = None  # its answer is still to come, and would be read as the next one's
                raise
        if answer.status >= 300:
            raise RefusedError(f"cannot {method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    async def _controller(self) -> Client:
        if self._control is None:
            self._control = await Client.unix(self.directory / "control.sock")
        return self._control

    async def status(self) -> Any:
        return await self.control("GET", "/v1/status")

    async def until(self, wanted: Callable[[Any], bool], seconds: float = 20.0) -> Any:
        """Wait until the status is as wanted; return it."""
        status: Any = None
        with trio.move_on_after(seconds):
            while True:
                status = await self.status()
                if wanted(status):
                    return status
                await trio.sleep(0.02)
        raise RuntimeError(f"cannot go on: the gateway's status did not become as wanted: {status}")

    async def spare(self) -> None:
        """Wait until a spare worker stands ready and nothing else is under way."""
        await self.until(lambda s: s["workers"]["spare"] >= 1 and not s["workers"]["starting"] and quiet(s))

    def cpu(self) -> float:
        """CPU seconds of the daemon alone."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited(self) -> float:
        """Seconds that the daemon was ready to run and had no core: a sign that the machine was busy."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9

    def rss(self) -> float:
        """Resident bytes of the daemon alone."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return float(int(fields[1]) * os.sysconf("SC_PAGE_SIZE"))

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_SECONDS):
            return await trio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True)
        self.process.kill()
        raise RuntimeError("cannot stop the gateway: it went on after SIGTERM")


def quiet(status: Any) -> bool:
    return bool(status["workers"]["busy"] == 0 and status["requests"]["active"] == 0)


def write_keys(directory: Path, base_url: str | None, tokens: Mapping[str, str]) -> None:
    where = {"base_url": base_url} if base_url else {}
    keys = [{"name": name, "token": token, **where} for name, token in tokens.items()]
    path = directory / "keys.json"
    path.touch(0o600)
    path.write_text(json.dumps({"claude_api_keys": keys}))


@asynccontextmanager
async def gateway(
    binary: Path,
    *,
    base_url: str | None = None,
    tokens: Mapping[str, str] | None = None,
    models: tuple[str, ...] = (),
    workers: str = "",
    limits: str = "queue = 1024",
    keys: str = "",
    port: int = 0,
) -> AsyncIterator[Gateway]:
    """Start `python -m claudegwd` with a scratch home; `workers`, `limits` and `keys` are lines of those
    sections; `port` is a free one by default."""
    with tempfile.TemporaryDirectory(prefix="claudegwd-bench-") as scratch:
        directory = Path(scratch)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            port = probe.getsockname()[1]
        config = directory / "config.toml"
        config.write_text(
            f'[server]\nbind = ["127.0.0.1:{port}"]\n[claude]\nbinary = "{binary}"\nmodels = {json.dumps(models)}\n'
            f"[workers]\n{workers}\n[limits]\nrequests_per_minute = 0\n{limits}\n[keys]\n{keys}\n"
            '[log]\nlevel = "warning"\n'
        )
        write_keys(directory, base_url, tokens or {"first": "sk-false-1"})
        environment = {
            "HOME": scratch,
            "TMPDIR": scratch,
            "PATH": os.environ["PATH"],
            "XDG_STATE_HOME": scratch,
            "CLAUDEGWD_SOCKET": str(directory / "control.sock"),
        }
        began = time.monotonic()
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "claudegwd", "--config", str(config)], cwd=ROOT, env=environment, stderr=log
            )
        try:
            await _ready(process, port, directory / "log")
            yield Gateway(directory, process, port, time.monotonic() - began)
        finally:
            if process.poll() is None:
                process.terminate()
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(_ended, process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    with trio.move_on_after(START_SECONDS):
        while process.poll() is None:
            try:
                client = await Client.tcp(port)
                answer = await client.request("GET", "/readyz")
                await client.aclose()
                if answer.status == 200:
                    return
            except OSError:
                pass
            await trio.sleep(POLL_SECONDS)
    raise RuntimeError(f"cannot start the gateway: {log.read_text()[-2000:]}")
