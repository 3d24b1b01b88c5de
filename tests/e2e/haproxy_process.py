"""The real HAProxy with our configuration, before daemons on loopback."""

from __future__ import annotations

import csv
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import write_certificate
from tests.e2e.daemon_process import POLL_SECONDS, free_port

CONFIG = Path(__file__).parents[2] / "packaging" / "haproxy" / "haproxy.cfg"
SERVERS = ("one", "two", "three")
START_SECONDS = 20.0

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed: `apt-get install haproxy`"
)


class HAProxy:
    """Made from packaging/haproxy/haproxy.cfg by nothing but other places; `ports` are the machines'. A second door is
    for a balancer before it that speaks the PROXY protocol."""

    def __init__(self, home: Path, ports: Sequence[int]) -> None:
        self.port, self.accept_proxy_port = free_port(), free_port()
        self.certificate = home / "gateway.pem"
        self.config = home / "haproxy.cfg"
        self.log_file = home / "haproxy.log"
        self._socket = home / "admin.sock"
        write_certificate(self.certificate)
        text = CONFIG.read_text()
        doors = "\n    ".join(
            f"bind 127.0.0.1:{port}{option} ssl crt {self.certificate}"
            for port, option in ((self.accept_proxy_port, " accept-proxy"), (self.port, ""))
        )
        for old, new in (
            ("bind :443 ssl crt /etc/haproxy/gateway.pem", doors),
            ("log /dev/log local0", "log stdout format raw local0"),
            ("    user haproxy\n    group haproxy\n", ""),
            ("/run/haproxy/admin.sock", str(self._socket)),
            *(
                (f"server {name} 10.0.0.1{number}:8000", f"server {name} 127.0.0.1:{port}")
                for number, (name, port) in enumerate(zip(SERVERS, ports, strict=True), 1)
            ),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.config.write_text(text)

    def check(self) -> subprocess.CompletedProcess[str]:
        """What `haproxy -c` says."""
        return subprocess.run(["haproxy", "-c", "-f", self.config], capture_output=True, text=True, check=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self.log_file.open("wb") as log:
            process = subprocess.Popen(["haproxy", "-db", "-f", self.config], stdout=log, stderr=log)
            try:
                until = time.monotonic() + START_SECONDS
                while set(self.states().values()) != {"UP"}:
                    assert process.poll() is None, self.log_file.read_text()
                    assert time.monotonic() < until, self.states()
                    time.sleep(POLL_SECONDS)
                yield
            finally:
                process.kill()
                process.wait()

    def states(self) -> dict[str, str]:
        """Whether each machine gets requests: UP, or something else."""
        try:
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(str(self._socket))
                asked.sendall(b"show stat\n")
                said = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
        except OSError:
            return {}
        rows = csv.DictReader(said.removeprefix("# ").splitlines())
        return {row["svname"]: row["status"].split()[0] for row in rows if row["svname"] in SERVERS}

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@contextmanager
def short_home() -> Iterator[Path]:
    """A socket's path has 103 bytes at most, which pytest's directories use up."""
    made = Path(tempfile.mkdtemp(prefix="hap"))
    try:
        yield made
    finally:
        shutil.rmtree(made)
