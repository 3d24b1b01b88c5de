"""One choice of an answer: its question; one before it, if it needs preparation; a fallback to another model, if the
requested one is not available; and a repetition, if the answer does not have the required format."""

from collections.abc import Callable, Sequence

import trio

from claudegwd.openai_api.errors import CallerError, GatewayError, InternalError, UpstreamUnavailable
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import Finished, Output, TextPiece
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.question.question import Question

# A model that is told what was wrong usually corrects it; one that does not is not asked forever.
MAX_REPEATS = 1


class Choice:
    """Read it as a Question is read: `first`, then `next` to the end, or `whole`. Always `close` it."""

    def __init__(
        self, ask: Callable[[Plan], Question], plan: Plan, prepares: Callable[[Answer], Plan] | None = None
    ) -> None:
        """`prepares`: the plan's answer is not handed out, but turned into the real question. It may raise."""
        self._ask = ask
        self._prepares = prepares
        self.question = ask(plan)
        self.earlier: list[Question] = []  # whose answers were not used
        self.may_change_model = True  # until the client has been told which one answers
        self._repeats = 0
        self._said = False  # text was handed out, so there is nothing to repeat
        self._begun = False  # the first outputs of the current question were handed out
        self._held: list[Output] | None = None
        self._closed = False

    @property
    def every(self) -> Sequence[Question]:
        """All questions asked."""
        return (*self.earlier, self.question)

    @property
    def answered(self) -> Sequence[Question]:
        """Those of them that did not fail, so they have an answer or will have one."""
        return [question for question in self.every if question.error is None]

    @property
    def earliest(self) -> Question:
        """The question with the earliest first token; if all have failed, the first one asked."""
        return next(iter(self.answered), self.every[0])

    async def first(self) -> Sequence[Output]:
        """The outputs up to and including the first token. May be cancelled and called again before `next`."""
        if self._prepares is not None:
            await self._prepare(self._prepares)
        while True:
            outputs = self._taken(await self._first())
            if outputs is not None:
                self._begun = True
                return outputs

    async def next(self, seconds: float) -> Sequence[Output] | None:
        """The next outputs; () for silence, None at the end. Raises GatewayError if it breaks off or is unusable."""
        while self._begun:
            batch = await self.question.next()
            outputs = self._taken(batch) if batch is not None else None
            if batch is None or outputs is not None:
                return outputs
        with trio.move_on_after(seconds):
            return await self.first()
        return ()

    async def whole(self, seconds: float) -> Sequence[Output]:
        """All outputs of the answer that is used. It may be repeated until its end, as nothing is handed out before."""
        self._held = []
        batch: Sequence[Output] | None = await self.first()
        while batch is not None:
            self._held.extend(batch)
            batch = await self.next(seconds)
        return self._held

    def close(self) -> None:
        """Give everything back, and ask nothing more."""
        self._closed = True
        for question in self.every:
            question.close()

    async def _prepare(self, prepares: Callable[[Answer], Plan]) -> None:
        # If cancelled and called again, it continues where it was; the first outputs come twice, but are not used.
        batch: Sequence[Output] | None = await self._first()
        while batch is not None:
            batch = await self.question.next()
        plan = prepares(self.question.answer)
        self._prepares = None
        self._go_on(plan)

    async def _first(self) -> Sequence[Output]:
        """The first outputs of the current question, or of the same question to a fallback model."""
        while True:
            try:
                return await self.question.first()
            except GatewayError as error:
                if not (self.may_change_model and self.question.lacks_model and self.question.plan.fallback):
                    raise
                try:
                    plan = self.question.plan.fallback()
                except CallerError:
                    raise error from None  # the fallback cannot do what is asked
                self._go_on(plan)

    def _taken(self, batch: Sequence[Output]) -> Sequence[Output] | None:
        """The batch, if it may be handed out; None if another question has replaced this one."""
        if batch and isinstance(batch[-1], Finished):
            fault = self.question.plan.fault(self.question.answer)
            if fault is not None:
                self._repeat(fault)
                return None
        self._said = self._said or any(isinstance(output, TextPiece) for output in batch)
        return batch

    def _repeat(self, fault: str) -> None:
        """Ask again in the same conversation: the pool finds the process that holds it."""
        plan = self.question.plan.corrected(self.question.answer, fault)
        if plan is None or self._repeats >= MAX_REPEATS or (self._said and self._held is None):
            raise UpstreamUnavailable(
                "cannot answer in the response_format: the model wrote something else; try again",
                code="invalid_model_output",
                retry_after=1.0,
            )
        self._go_on(plan)
        self._repeats += 1
        self._begun = False
        if self._held is not None:
            self._held.clear()

    def _go_on(self, plan: Plan) -> None:
        if self._closed:  # its reader may still be on its way, but nobody would close another question
            raise InternalError("cannot answer: the request was closed")
        self.question.close()
        self.earlier.append(self.question)
        self.question = self._ask(plan)
