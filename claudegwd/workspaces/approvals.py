"""Questions to a person: calls that Claude wants to make in a workspace and no rule decides."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import trio

# The client's user is watching the stream; after this long, nobody is.
WAIT_SECONDS = 300.0
# A person has to read each of them, and the calls of one client must not keep those of another from being read.
MAX_WAITING = 100
MAX_WAITING_OF_CLIENT = 10
# Calls that were approved permanently, in all workspaces: somebody typed each of them. The oldest are dropped.
MAX_ALWAYS = 1000
# What a person can be expected to read before approving; longer calls are denied, since nobody would see all of them.
MAX_CHARACTERS = 20_000
REASON_CHARACTERS = 500  # the model reads it


class UnknownApproval(LookupError):  # noqa: N818 - it names the fault
    """No such approval is pending."""


@dataclass(frozen=True, slots=True)
class WantedCall:
    """What is to be done, where and for whom. `owner` distinguishes the client from an earlier one of its name."""

    workspace: str
    directory: str
    client: str
    owner: str
    tool: str
    given: Mapping[str, Any]

    @property
    def digest(self) -> bytes:
        """Identifies what would be done; the description of a command is left out."""
        given = {name: value for name, value in self.given.items() if (self.tool, name) != ("Bash", "description")}
        parts = [self.workspace, self.directory, self.client, self.owner, self.tool, given]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


@dataclass(slots=True, eq=False)
class Approval:
    """One question. `shown`: the whole call, without known tokens, in lines; `why`: what kept it from being allowed."""

    id: str
    wanted: WantedCall
    shown: str
    why: str
    asked: float
    allowed: bool | None = None
    always: bool = False
    reason: str = ""
    decided: trio.Event = field(default_factory=trio.Event)

    @property
    def workspace(self) -> str:
        """The workspace's name."""
        return self.wanted.workspace

    @property
    def client(self) -> str:
        """The client's name; "" for one without a key."""
        return self.wanted.client

    def row(self) -> dict[str, Any]:
        """A row for the control API."""
        names = ("workspace", "directory", "client", "tool")
        ours = {name: getattr(self.wanted, name) for name in names}
        return {"id": self.id, **ours, "shown": self.shown, "why": self.why, "asked": self.asked}

    def refuse(self, reason: str) -> None:
        """Decide it without a person."""
        self.allowed, self.reason = False, reason
        self.decided.set()


class Approvals:
    """The pending approvals. `on_asked` is called at once for each."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: dict[str, Approval] = {}
        self._always: dict[bytes, None] = {}
        self.on_asked: Callable[[Mapping[str, Any]], None] = lambda _: None

    def rows(self) -> list[dict[str, Any]]:
        """The pending ones, oldest first."""
        return [approval.row() for approval in self._waiting.values()]

    def begin(self, wanted: WantedCall, *, shown: str, why: str) -> Approval | None:
        """Ask; None if it was approved permanently before. `shown`: the whole call, as a person sees it."""
        if wanted.digest in self._always:
            return None
        approval = Approval(token_hex(4), wanted, shown, why, self._clock())
        of_client = sum(other.wanted.owner == wanted.owner for other in self._waiting.values())
        if len(shown) > MAX_CHARACTERS:
            approval.refuse(f"it is too long for a person to review (more than {MAX_CHARACTERS} characters)")
        elif len(self._waiting) >= MAX_WAITING or of_client >= MAX_WAITING_OF_CLIENT:
            approval.refuse("too many requests are waiting for approval")
        else:
            self._waiting[approval.id] = approval
            self.on_asked(approval.row())
        return approval

    async def answer(self, approval: Approval) -> bool:
        """Whether it was approved; `reason` says why not. Denied if nobody answers in time."""
        try:
            with trio.move_on_after(WAIT_SECONDS):
                await approval.decided.wait()
        finally:
            self._waiting.pop(approval.id, None)
        if approval.allowed is None:
            approval.reason = "nobody answered in time"
        if approval.allowed and approval.always:
            while len(self._always) >= MAX_ALWAYS:
                del self._always[next(iter(self._always))]
            self._always[approval.wanted.digest] = None
        return approval.allowed is True

    def approve(self, ident: str, *, always: bool = False) -> Approval:
        """Allow it; `always`: this client may repeat exactly this call until the daemon ends.
        Raises UnknownApproval."""
        approval = self._find(ident)
        approval.allowed, approval.always = True, always
        approval.decided.set()
        return approval

    def deny(self, ident: str, why: str = "") -> Approval:
        """Deny it; the model is told why. Raises UnknownApproval."""
        approval = self._find(ident)
        approval.refuse(why[:REASON_CHARACTERS] or "a person denied it")
        return approval

    def _find(self, ident: str) -> Approval:
        approval = self._waiting.get(ident)
        if approval is None or approval.decided.is_set():
            raise UnknownApproval(
                f"cannot find approval {ident[:40]!r}: `claudegwctl approvals` lists the pending ones"
            )
        return approval
