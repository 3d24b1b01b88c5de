"""A real Valkey or Redis, on a Unix socket of its own, for what several machines share.

The one that is installed; `SHARED_SERVER=/path/to/valkey-server` names another one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket

import pytest
from hiredis import Reader, pack_command

_NAMES = (os.environ["SHARED_SERVER"],) if os.environ.get("SHARED_SERVER") else ("valkey-server", "redis-server")
SERVER = next((name for name in _NAMES if shutil.which(name)), None)
START_SECONDS = 20.0
POLL_SECONDS = 0.02

needs_redis = pytest.mark.skipif(SERVER is None, reason="no store is installed: `apt-get install redis-server`")


class RedisServer:
    """`start` and `stop` it; started again it is empty. Blocking."""

    def __init__(self, home: Path) -> None:
        self.path = home / "r.sock"
        self.url = f"unix://{self.path}"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        assert SERVER is not None
        self.path.unlink(missing_ok=True)
        command = [SERVER, "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir", str(self._home)]
        with (self._home / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._home / "redis.log").read_text()
            assert time.monotonic() < until
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.path.unlink(missing_ok=True)

    def pause(self) -> None:
        """It takes connections and bytes, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> object:
        """One command, as a person would."""
        with socket(AF_UNIX) as asked:
            asked.settimeout(START_SECONDS)
            asked.connect(str(self.path))
            asked.sendall(pack_command(words))
            reader = Reader()
            while (reply := reader.gets()) is False:
                reader.feed(asked.recv(65536))
            return reply

    @contextmanager
    def overheard(self) -> Iterator[list[bytes]]:
        """All that is said to it meanwhile: in the list at the end."""
        said: list[bytes] = []
        with socket(AF_UNIX) as listening:
            listening.connect(str(self.path))
            listening.sendall(pack_command(("MONITOR",)))
            try:
                yield said
            finally:
                self.ask("ECHO", "the end")
                while not said or b"the end" not in b"".join(said[-2:]):
                    said.append(listening.recv(65536))

    def _answers(self) -> bool:
        try:
            self.ask("PING")
        except OSError:
            return False
        return True


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """A store that runs. A socket's path has 103 bytes at most, which pytest's directories use up."""
    home = Path(tempfile.mkdtemp(prefix="red"))
    server = RedisServer(home)
    try:
        server.start(*options)
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)
