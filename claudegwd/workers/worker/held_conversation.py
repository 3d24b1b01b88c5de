"""What the CLI holds of a conversation, and the commands that change it: append, rewind, clear."""

import msgspec
import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.workers.carriers.transcript import Transcript
from claudegwd.workers.worker.pending_commands import PendingCommands


class _Rewound(msgspec.Struct):
    rewound: bool = False


class HeldConversation:
    """`transcript` says what is held. The methods that wait return when the CLI has finished, or is gone."""

    def __init__(self, pending: PendingCommands) -> None:
        self.transcript = Transcript()
        self._pending = pending
        self._appended: trio.Event | None = None
        self._clears = 0  # written but not acknowledged
        self._cut_id = ""
        self._cut_to = 0
        self._cost = 0.0  # what the CLI says this conversation has cost in all

    async def append(self, lines: bytes) -> None:
        """Write lines, the last of which appends a user message, and wait for the acknowledgement.

        Otherwise the next assistant message would overtake it (observed).
        """
        appended = self._appended = trio.Event()
        self._pending.send(lines)
        await appended.wait()

    def clear(self) -> None:
        """Make the CLI begin a new conversation: its budget for this one is spent."""
        self._clears += 1
        self._pending.send(commands.clear())

    def cut(self, held: int) -> None:
        """Cut the transcript to its first `held` entries; the next one must have a uuid. `is_cut` says when done."""
        self._cut_to = held
        target, last = self.transcript.uuids[held] or "", self.transcript.last_uuid
        self._cut_id = self._pending.command(commands.rewind, target=target, last=last)

    @property
    def is_changing(self) -> bool:
        """Whether the CLI has yet to append or to rewind, as it was told. Whoever told it may have left."""
        return self._appended is not None or bool(self._cut_id)

    async def until_cut(self) -> None:
        await self._pending.answer(self._cut_id)

    def is_cut(self, body: e.CliResponseBody) -> bool | None:
        """Whether the CLI has rewound, according to this reply; None if it is to another command."""
        if body.request_id != self._cut_id:
            return None
        self._cut_id = ""
        if not _rewound(body.response):
            return False
        self.transcript.cut(self._cut_to)
        return True

    def acknowledges(self, result: e.Result) -> bool:
        """Whether this `result` does not end a turn, but acknowledges that lines were appended or all was cleared."""
        if result.num_turns or result.is_error:
            return False
        if self._appended is not None:
            self._appended.set()
            self._appended = None
        elif self._clears:
            self._clears -= 1
        else:
            return False
        return True

    def new_cost(self, total: float) -> float:
        """Dollars since the last `result`. Clearing the conversation resets the CLI's total."""
        new, self._cost = total - self._cost if total >= self._cost else total, total
        return new

    def let_go(self) -> None:
        """The process is gone."""
        if self._appended is not None:
            self._appended.set()


def _rewound(answer: msgspec.Raw) -> bool:
    """Whether the CLI says that it has rewound."""
    try:
        return msgspec.json.decode(answer, type=_Rewound).rewound
    except msgspec.ValidationError:
        return False
