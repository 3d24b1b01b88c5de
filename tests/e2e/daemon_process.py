"""The real daemon as a child process in a home of its own, and what must hold once it has stopped."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.cli_binary import find_cli
from tests.plain_http import blocking_control_client

ROOT = Path(__file__).parents[2]
GOOD_KEY = "sk-false-good-key-0001"
# Begins every message that must leave no trace outside the conversation.
MARKER = "SECRET-CONTENT"
# The only files that may hold a token.
TOKEN_FILES = frozenset({"keys.json", "env.sh"})
# On a machine that eight others use at the same time; alone it takes 0.6 s.
START_SECONDS = 30.0
# Above the longest kill ladder of a worker, below the bound on running answers: a test that needs more says so.
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
# What the daemon has killed as it ended may still be dying on a busy machine. A CLI that was forgotten lives longer,
# even without its stdin.
DYING_SECONDS = 0.4

# Rate limits and the log's level are not what most tests are about; a test's own config wins.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "server": {"bind": ["127.0.0.1:0"]},
    "limits": {"requests_per_minute": 0},
    "workers": {"max": 4},
    "log": {"level": "debug"},
}
# What a daemon learned of the CLI's models, given to the next one: it saves each start a CLI of its own.
_catalogue: dict[str, bytes] = {}


def free_port() -> int:
    """A port of loopback that nobody listens on now. It is not one of those that systems give to outgoing connections:
    one of the other lane of tests could take it before it is listened on."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Daemon:
    """`start` and `stop` it; `home` holds all its files. Blocking: from trio, in a thread."""

    def __init__(
        self,
        upstream: str,
        keys: Sequence[str | Mapping[str, str]] = (GOOD_KEY,),
        config: str = "",
        env: Mapping[str, str] | None = None,
        cli: Path | None = None,
        *,
        under: Sequence[str] = (),
        owner: int | None = None,
    ) -> None:
        """`under`: a command that starts another, such as prlimit; `owner`: whose the files are, if not ours."""
        self.home = Path(tempfile.mkdtemp(prefix="cgw"))  # short: it holds a Unix socket
        self.upstream = upstream
        self.cli = cli or find_cli()
        self.secrets: set[str] = {MARKER}
        self.config_file = self.home / "config.toml"
        self.keys_file = self.home / "keys.json"
        self.socket = self.home / "control.sock"
        self.log_file = self.home / "daemon.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._env = dict(env or {})
        self._config = config
        self._under = under
        self._owner = owner
        self._ran_before = False
        (self.home / "tmp").mkdir()
        self.write_config(config)
        self.write_keys(keys)

    # -- its files ----------------------------------------------------------------------------------------------------

    def write_config(self, text: str) -> None:
        """config.toml of this text over DEFAULTS."""
        self._config = text
        merged: dict[str, dict[str, Any]] = {name: dict(section) for name, section in DEFAULTS.items()}
        merged.setdefault("claude", {})["binary"] = str(self.cli)
        for name, section in tomllib.loads(text).items():
            merged.setdefault(name, {}).update(section)
        if self._ran_before and merged["server"]["bind"] == ["127.0.0.1:0"]:
            merged["server"]["bind"] = [f"127.0.0.1:{self.port}"]  # its clients know this port
        lines = []
        for name, section in merged.items():
            lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in section.items())]
        self.config_file.write_text("\n".join(lines) + "\n")

    def write_keys(self, keys: Sequence[str | Mapping[str, str]]) -> None:
        """keys.json: a bare token becomes key k0, k1, …; the scripted endpoint is the base URL where none is given."""
        rows = []
        for number, key in enumerate(keys):
            given = {"token": key} if isinstance(key, str) else dict(key)
            row = {"name": f"k{number}", "base_url": self.upstream, **given}
            self.secrets.add(row["token"])
            rows.append(row)
        new = self.keys_file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(json.dumps({"claude_api_keys": rows}))
        new.replace(self.keys_file)
        if not rows:
            self.keys_file.unlink()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    # -- its life -----------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def memory(self) -> int:
        """Its resident bytes, without its workers'."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def environment(self) -> dict[str, str]:
        """What the daemon and `claudegwctl` are started with."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),  # the workers' directories; it also tells our processes from others
            "STATE_DIRECTORY": str(self.home / "state"),
            "CLAUDEGWD_SOCKET": str(self.socket),
            **self._env,
        }

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process and do not wait for it."""
        self.write_config(self._config)
        state = self.home / "state"
        if _catalogue and not state.exists():
            state.mkdir()
            (state / "catalogue.json").write_bytes(_catalogue["kept"])
        if self._owner is not None:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, self._owner, -1)
        command = [*self._under, sys.executable, "-m", "claudegwd", "--config", str(self.config_file)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log, cwd=self.home)
        return self.process

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.spawn()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for one that was spawned."""
        process = self.process
        assert process is not None
        until = time.monotonic() + START_SECONDS
        while (status := self._status()) is None or status["state"] == "starting":
            assert process.poll() is None, f"the daemon ended with {process.returncode}: {self.log()}"
            assert time.monotonic() < until, f"the daemon is not ready: {self.log()}"
            time.sleep(POLL_SECONDS)
        self.port = int(status["binds"][0].rpartition(":")[2])
        kept = self.home / "state" / "catalogue.json"
        if kept.exists():
            _catalogue["kept"] = kept.read_bytes()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM; it must end with 0 in time, and leave nothing. Called again, it only looks at what is left."""
        assert self.process is not None
        try:
            if self.process.poll() is None:
                self.check_secrets()
                self.process.send_signal(signal.SIGTERM)
            assert self._ended(seconds) == 0, self.log()[-2000:]
            until = time.monotonic() + DYING_SECONDS
            while left := list(self.processes()):
                assert time.monotonic() < until, f"left behind: {left}"
                time.sleep(POLL_SECONDS)
            self.check_secrets()
        finally:
            self.remove()

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM; it must end with 0 in time. It can be started again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self._ended(seconds) == 0, self.log()[-2000:]
        self._ran_before = True

    def kill(self) -> None:
        """SIGKILL, as a crash would end it; its workers must end with it, with nobody there to reap them."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._ran_before = True
        until = time.monotonic() + STOP_SECONDS
        while left := list(self.processes()):
            assert time.monotonic() < until, f"outlived the daemon: {left}"
            time.sleep(POLL_SECONDS)

    def remove(self) -> None:
        """End whatever is left and remove the home."""
        for pid, _ in self.processes():
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _ended(self, seconds: float) -> int | None:
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def _status(self) -> dict[str, Any] | None:
        try:
            with blocking_control_client(self.socket) as client:
                status: dict[str, Any] = client.get("/v1/status").json()
                return status
        except (httpx.TransportError, ValueError):
            return None

    # -- what it may not leave ----------------------------------------------------------------------------------------

    def processes(self) -> Iterator[tuple[int, str]]:
        """Process id and command line of all that live with this home in their environment."""
        home = str(self.home).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if home in (entry / "environ").read_bytes():
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if command:  # a zombie has none: it has ended, and its parent is about to reap it
                        yield int(entry.name), command
            except OSError:
                continue  # it ended just now, or is another user's

    def descriptors(self) -> int:
        """How many the daemon has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def check_secrets(self) -> None:
        """No token and no message in any file, and in no process list."""
        for path in _files(self.home):
            if path.name not in TOKEN_FILES:
                found = _read(path)
                assert not any(secret.encode() in found for secret in self.secrets), f"{path} holds a secret"
        for _, command in self.processes():
            assert not any(secret in command for secret in self.secrets), "a command line holds a secret"


def _files(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory):  # which passes over what is gone by now, with its worker
        yield from (Path(folder) / name for name in names)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # a socket, or gone with its worker


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)  # strings, numbers, booleans and lists of them are written alike


# How conversations reach the upstream: each request whole, or as a transcript in the CLI.
CARRIERS = {"whole": "auto", "transcript": "transcript"}


@contextmanager
def carrying(carrier: str, config: str = "") -> Iterator[Daemon]:
    """A daemon for a module's tests, with one of the CARRIERS; its upstream is not there yet."""
    started = Daemon(
        f"http://127.0.0.1:{free_port()}", config=config, env={"CLAUDEGWD_WORKERS__CARRIER": CARRIERS[carrier]}
    )
    try:
        started.start()
        yield started
        started.stop()
    finally:
        started.remove()
