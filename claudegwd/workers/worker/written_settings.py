"""The settings last written to a CLI, including credentials. Pure."""

from typing import Any

from claudegwd.claude_cli import commands
from claudegwd.keys.key import digest_of
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import blocking


class WrittenSettings:
    """`values` is None if they must be written again before the next question. `key` and `key_digest`: the name and
    UpstreamKey.digest of the upstream key in them. `address`: the variable with the upstream's address.

    They are sent in one write with the question: the first of two writes would wake the CLI, which may then get the CPU
    before the second is made.
    """

    def __init__(self, pending: PendingCommands, address: str) -> None:
        self.values: dict[str, Any] | None = None
        self.key: str | None = None
        self.key_digest = ""
        self._pending = pending
        self.address = address
        self._id = ""
        self._waiting = b""
        self._is_blocked = False

    def put(self, values: dict[str, Any], key: str | None) -> None:
        """Have them written with the next question, unless they were the last ones written."""
        if values != self.values or self._is_blocked:
            self._is_blocked = False
            self._id, line = self._pending.expect(commands.settings, values=values)
            self._waiting += line
            self.values = values
        self.key, self.key_digest = key, digest_of(values.get("env", {}))

    def take(self) -> bytes:
        """The lines to write before the question."""
        lines, self._waiting = self._waiting, b""
        return lines

    def forget(self) -> None:
        """They are too large to keep, or no longer in effect."""
        self.values = None

    def block(self) -> None:
        """Remove the upstream's address from the CLI: see retry_block.py."""
        self._pending.command(commands.settings, values=blocking(self.address))
        self._is_blocked = True

    def unblock(self) -> None:
        """Give the address back, now that nobody waits. If the settings are forgotten, the next question does it."""
        if self._is_blocked and self.values is not None:
            # Only the address: all settings would delay the next question by another 4 ms.
            address = {self.address: self.values.get("env", {}).get(self.address, "")}
            self._pending.command(commands.settings, values={"env": address})
            self._is_blocked = False

    def are_answered_by(self, request_id: str) -> bool:
        """Whether this is the CLI's reply to the last ones."""
        return request_id == self._id
