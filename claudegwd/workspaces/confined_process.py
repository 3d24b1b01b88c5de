"""A CLI process that inherits the channel by which it gives its listener away."""

from collections.abc import Awaitable, Callable, Sequence
from subprocess import PIPE

import trio

from claudegwd.workers.lifeline import Lifeline
from claudegwd.workers.process import CliProcess, Launch


class ConfinedProcess(CliProcess):
    """`passed`: descriptors that it inherits, open until it has started."""

    def __init__(
        self, launch: Launch, on_lines: Callable[[Sequence[bytes]], Awaitable[None]], passed: tuple[int, ...]
    ) -> None:
        super().__init__(launch, on_lines)
        self._passed = passed

    async def _open(self, lifeline: Lifeline) -> trio.Process:
        launch = self._launch
        return await trio.lowlevel.open_process(
            list(launch.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
            pass_fds=(*lifeline.passed, *self._passed),
        )
