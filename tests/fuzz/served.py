"""A daemon on the fake CLI for the fuzzers: real in everything but the answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon_process import Daemon, free_port
from tests.fake_binary import write_fake_cli

# Says the question back; then answers with tool calls; slowly; and breaks off.
MODELS = ("fake-echo-1", "fake-calls-2", "fake-deltas-5-gap-2", "fake-crash-streaming")
WORKERS = 4


@contextmanager
def served(more: str = "", limits: str = "requests_per_minute = 0") -> Iterator[Daemon]:
    """A daemon that needs no key and limits nobody, unless told otherwise. It must stop in order and leave nothing."""
    with tempfile.TemporaryDirectory(prefix="cgw-fake-") as scratch:
        config = (
            f"[claude]\nmodels = {json.dumps(MODELS)}\n[limits]\n{limits}\n"
            f'[workers]\nmax = {WORKERS}\n[log]\nlevel = "info"\n{more}'
        )
        daemon = Daemon(f"http://127.0.0.1:{free_port()}", cli=write_fake_cli(Path(scratch)), config=config)
        try:
            daemon.start()
            yield daemon
            daemon.stop()
        finally:
            daemon.remove()


def unforeseen(daemon: Daemon) -> list[str]:
    """Lines of the log that no request may cause."""
    words = ("failed unexpectedly", "Exception", "Traceback", "fields not allowed")
    return [line for line in daemon.log().splitlines() if any(word in line for word in words)]
