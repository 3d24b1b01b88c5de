"""Questions to a person: what Claude would like to do in a workspace, and no rule decides."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import trio

# Who waits for its answer looks at the stream; after this nobody does any more.
WAIT_SECONDS = 300.0
# Each holds up one answer under way, of which there are a few.
MAX_WAITING = 100
# Calls that were approved for good, of all workspaces, until the daemon ends: somebody typed each of them.
MAX_ALWAYS = 1000
REASON_CHARACTERS = 500  # the model reads it


class UnknownApproval(LookupError):  # noqa: N818 - it names the fault
    """Nobody asks that, or not any more."""


@dataclass(slots=True, eq=False)
class Approval:
    """One question. `shown`: what is to be done, redacted, in one line; `why`: what kept it from being allowed."""

    id: str
    workspace: str
    directory: str
    client: str
    tool: str
    shown: str
    why: str
    asked: float
    allowed: bool | None = None
    reason: str = ""
    decided: trio.Event = field(default_factory=trio.Event)

    def row(self) -> dict[str, Any]:
        """For the control face."""
        names = ("id", "workspace", "directory", "client", "tool", "shown", "why", "asked")
        return {name: getattr(self, name) for name in names}


class Approvals:
    """Those that wait. `on_asked` is told of each, at once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: dict[str, Approval] = {}
        self._always: set[tuple[str, str, str]] = set()
        self.on_asked: Callable[[Mapping[str, Any]], None] = lambda _: None

    def rows(self) -> list[dict[str, Any]]:
        """Those that wait, the oldest first."""
        return [approval.row() for approval in self._waiting.values()]

    def begin(
        self, *, workspace: str, directory: str, client: str, tool: str, shown: str, why: str, exact: str
    ) -> Approval | None:
        """Ask; None where it was approved for good before. `exact` tells this call from every other."""
        if (workspace, tool, exact) in self._always:
            return None
        approval = Approval(token_hex(4), workspace, directory, client, tool, shown, why, self._clock())
        if len(self._waiting) >= MAX_WAITING:
            approval.allowed, approval.reason = False, "too many questions wait for a person"
            approval.decided.set()
            return approval
        self._waiting[approval.id] = approval
        self.on_asked(approval.row())
        return approval

    async def answer(self, approval: Approval, exact: str) -> bool:
        """Whether it was approved; `reason` says more. Denied when nobody has answered in time."""
        try:
            with trio.move_on_after(WAIT_SECONDS):
                await approval.decided.wait()
        finally:
            self._waiting.pop(approval.id, None)
        if approval.allowed is None:
            approval.reason = "nobody has answered in time"
        if approval.allowed and approval.reason == "always" and len(self._always) < MAX_ALWAYS:
            self._always.add((approval.workspace, approval.tool, exact))
        return approval.allowed is True

    def approve(self, ident: str, *, always: bool = False) -> Approval:
        """Let it be done; `always`: the very same thing later too, until the daemon ends. UnknownApproval."""
        approval = self._find(ident)
        approval.allowed, approval.reason = True, "always" if always else ""
        approval.decided.set()
        return approval

    def deny(self, ident: str, why: str = "") -> Approval:
        """Do not; the model is told why. UnknownApproval."""
        approval = self._find(ident)
        approval.allowed, approval.reason = False, why[:REASON_CHARACTERS] or "a person has denied it"
        approval.decided.set()
        return approval

    def _find(self, ident: str) -> Approval:
        approval = self._waiting.get(ident)
        if approval is None or approval.decided.is_set():
            raise UnknownApproval(f"cannot find approval {ident[:40]!r}: `claudegwctl approvals` shows those that wait")
        return approval
