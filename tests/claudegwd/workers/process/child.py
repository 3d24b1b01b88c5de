"""A Python program as a CLI's process, for tests of how it is owned."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from claudegwd.workers.process.process import CliProcess, Launch


class Child:
    """A process under test, its lines as they came, and a way to wait for the next."""

    def __init__(self, script: str, tmp_path: Path, *, whole: bool = False) -> None:
        launch = Launch([sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, tmp_path, whole=whole)
        self.process = CliProcess(launch, self._take)
        self.lines: list[bytes] = []
        self.ended = trio.Event()
        self._more = trio.Condition()

    async def _take(self, lines: Sequence[bytes]) -> None:
        self.lines += lines
        async with self._more:
            self._more.notify_all()

    async def line(self, number: int) -> bytes:
        with trio.fail_after(10):
            async with self._more:
                while len(self.lines) < number:
                    await self._more.wait()
        return self.lines[number - 1]

    async def run(self) -> None:
        try:
            await self.process.run()
        finally:
            self.ended.set()


@asynccontextmanager
async def running(script: str, tmp_path: Path, *, whole: bool = False) -> AsyncIterator[Child]:
    child = Child(script, tmp_path, whole=whole)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        yield child
        nursery.cancel_scope.cancel()
