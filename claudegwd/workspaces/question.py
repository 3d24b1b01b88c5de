"""One question in a workspace, with the same interface as any other. The session does the work."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from claudegwd.limits.clients import Client
from claudegwd.openai_api.errors import GatewayError, InternalError
from claudegwd.translate.answer.outputs import Finished, Output, Started
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import Questions
from claudegwd.workers.worker.hearing import HEARTBEAT_SECONDS
from claudegwd.workers.worker.output_channel import MAX_UNREAD_BATCHES, Batch

if TYPE_CHECKING:
    from claudegwd.workspaces.session import WorkspaceSession


class WorkspaceQuestion(Question):
    """Made by `Workspaces.ask`."""

    def __init__(
        self, questions: Questions, plan: Plan, request_id: str, client: Client, *, route: str, whole: bool
    ) -> None:
        super().__init__(questions, plan, request_id, whole=whole)
        self.client, self.route = client, route
        self.bound = ""
        self.session: WorkspaceSession
        self._send, self._batches = trio.open_memory_channel[Batch](MAX_UNREAD_BATCHES)

    @property
    def worker_pid(self) -> int | None:
        """The process that answers it."""
        return self.session.pid

    @property
    def lacks_model(self) -> bool:
        """No other model takes over."""
        return False

    async def next(self) -> Batch | None:
        """As for any question."""
        with trio.move_on_after(HEARTBEAT_SECONDS):
            try:
                return await self._batches.receive()
            except trio.EndOfChannel:
                if self.error is not None:
                    raise self.error from None
                return None
        return ()

    def close(self) -> None:
        """End it now, with everything that runs for it. A complete answer may still be continued."""
        self._closed = True
        if self._answer.finished is None:
            self.session.stop()

    # -- for the session ----------------------------------------------------------------------------------------------

    def begin(self, outputs: Sequence[Output]) -> None:
        """It is being asked; `outputs` are left over from before."""
        self.asked_at = trio.current_time()
        self._answer.add(outputs)
        self._first.extend(outputs)

    async def take(self, outputs: Sequence[Output]) -> bool:
        """Hand out what was said; whether that completes the answer."""
        self._answer.add(outputs)
        if self._ready.is_set():
            await self._send.send(outputs)
        else:
            self._first.extend(outputs)
            if not all(isinstance(output, Started) for output in outputs):
                self.first_at = self.spoke_at = trio.current_time()
                self._ready.set()
        return isinstance(outputs[-1], Finished)

    def fail(self, error: GatewayError) -> None:
        """End it with an error. The first one counts."""
        if self._answer.finished is None:
            self.error = self.error or error

    def over(self) -> None:
        """Nothing more will come."""
        self.fail(InternalError("cannot answer: the request was closed"))
        self._send.close()
        self._ready.set()
