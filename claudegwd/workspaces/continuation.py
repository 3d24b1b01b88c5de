"""Where the conversation of a process resumes from, and where it is kept once the process has ended."""

import time
from pathlib import Path
from uuid import uuid4

import trio

from claudegwd.limits.clients import Client
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.request.plan import Plan
from claudegwd.workspaces.cli_session import CliSession, is_complete, read_transcript
from claudegwd.workspaces.kept_conversations import FILE_SECONDS, KeptConversation, KeptConversations
from claudegwd.workspaces.transcript import kept_digest


class Continuation:
    """`session` is what the CLI is started with; `held` is how much of the history it knows from that."""

    def __init__(self, kept: KeptConversations, rules: bytes, *, wanted: bool) -> None:
        self._kept = kept
        self._rules = rules
        self._found: KeptConversation | None = None
        self._wanted = wanted
        self.session = CliSession()
        self.held = 0
        self._digest = b""  # of the conversation, once it has a complete answer to resume from
        self._text, self._stopped = "", False

    @property
    def is_resumed(self) -> bool:
        """Whether the CLI was started with a transcript."""
        return bool(self.session.transcript)

    async def find(self, plan: Plan, owner: str) -> None:
        """Look up what is kept of this conversation."""
        if not self._wanted:
            return
        self.session = CliSession(str(uuid4()))
        digests = [entry.digest for entry in plan.entries[:-1]]
        self._found = found = self._kept.take(plan.model.workspace, owner, digests[::-1])
        if found is not None and (session := await self._kept.read(found)) is not None:
            self.session, self.held = session, digests.index(found.digest) + 1

    async def give_up(self) -> None:
        """The CLI cannot resume from it: everything is sent again."""
        if self._found is not None:
            await self._kept.drop(self._found)
        self.session, self.held = CliSession(str(uuid4())), 0

    def begun(self) -> None:
        """Another answer has begun."""
        self._digest = b""

    def answered(self, plan: Plan, answer: Answer, *, bound: str) -> None:
        """The answer is complete. `bound`: the workspace's bound that ended it."""
        self._digest, self._text, self._stopped = kept_digest(plan, answer, bound=bound), answer.text, bool(bound)

    async def keep(self, home: Path, workspace: str, client: Client) -> None:
        """Keep the conversation of a process that has ended. `home`: the process's own."""
        if not self._wanted or not self._digest:
            return
        left = None
        with trio.move_on_after(FILE_SECONDS):
            left = await trio.to_thread.run_sync(read_transcript, home, self.session.ident, abandon_on_cancel=True)
        if left is not None and is_complete(left.transcript, self._text, stopped=self._stopped):
            names = (left.ident, left.folder, workspace, self._rules, client.name, client.owner)
            await self._kept.keep(KeptConversation(*names, self._digest, time.time()), left.transcript)

    def release(self) -> None:
        """Let others resume from what is kept."""
        if self._found is not None:
            self._kept.release(self._found.ident)
