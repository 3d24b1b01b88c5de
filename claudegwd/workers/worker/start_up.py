"""The start of a process, until it can be asked: first output, a spare's warm-up, `initialize` and its reply."""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.translate.request.catalogue import Initialized, read_initialized
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.warm_up import WarmUp

# Settings that change nothing. The first settings cost a process some 40 ms more than later ones (observed), so a spare
# that does not warm up gets these while no request waits for it.
_WARMING: dict[str, Any] = {"env": {"CLAUDE_CODE_EXTRA_BODY": ""}}


class StartUp:
    """`warm_up` sits between the worker and stdin. `initialized` is the CLI's answer to `initialize`, or None."""

    def __init__(self, pending: PendingCommands, warm_up: WarmUp, *, warms_up: bool) -> None:
        self.warm_up = warm_up
        self.initialized: Initialized | None = None
        self._pending = pending
        self._warms_up = warms_up
        self._hello_id = ""
        self._initialize_id = ""

    def begin(self) -> None:
        """Ask for the first output."""
        self._hello_id = self._pending.command(commands.binary_version)

    def initialize(self, system: str, tools: Sequence[Any]) -> None:
        """Write system prompt and tools."""
        server = TOOL_SERVER if tools else None
        self._initialize_id = self._pending.command(commands.initialize, system=system, server=server, tools=tools)

    @property
    def is_initialized(self) -> bool:
        return bool(self._initialize_id)

    async def until_initialized(self) -> None:
        await self._pending.answer(self._initialize_id)

    def is_first_word(self, body: e.CliResponseBody) -> bool:
        return body.request_id == self._hello_id

    def warms(self, *, taken: bool) -> bool:
        """At the first output: begin the warm-up, unless the process is already `taken`. Returns whether it began."""
        if taken or not self._warms_up:
            if not taken:
                self._pending.command(commands.settings, values=_WARMING)
            return False
        self.warm_up.begin()
        return True

    def take(self, body: e.CliResponseBody, pid: int | None) -> None:
        """Take the reply to a command that succeeded; the one to `initialize` is kept."""
        if body.request_id == self._initialize_id:
            try:
                self.initialized = read_initialized(body.response)
            except msgspec.ValidationError:
                log_event(log, logging.WARNING, "the CLI's catalogue cannot be read", pid=pid)
