"""The reply to one request: its questions are asked, their outputs read, and their usage counted.

Shared by all routes that ask a model; each adds the format of its own protocol.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol

import trio
from quart import Response

from claudegwd.gateway.booking import Booking
from claudegwd.gateway.gateway import Gateway
from claudegwd.gateway.metrics import Asked
from claudegwd.ledger.entry import CLIENT_GONE, MODEL_CHARACTERS, Line, Sums, minute_of
from claudegwd.limits.clients import Client
from claudegwd.limits.meter import Admission
from claudegwd.logs import event as log_event
from claudegwd.logs import log, log_content
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import AuthenticationFailed, GatewayError, InternalError
from claudegwd.openai_api.sse import CONTENT_TYPE
from claudegwd.openai_api.usage import Usage
from claudegwd.public.call import Call, Record, milliseconds_since
from claudegwd.public.choice import Choice
from claudegwd.public.mixing import first_of_all, mixed_outputs
from claudegwd.public.reserving import reserve
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import Finished, Output, TokenCount
from claudegwd.translate.request.estimate import used_tokens
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.running_request import RunningRequest
from claudegwd.workers.worker.hearing import HEARTBEAT_SECONDS

STREAM_HEADERS = {
    "content-type": CONTENT_TYPE,
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class Stream(Protocol):
    """Writes the events of one protocol, each as bytes."""

    include_usage: bool
    done: bytes  # ends every stream; may be empty
    silence: bytes  # keeps a silent connection open

    def usage(self, usage: Usage, /) -> bytes: ...

    def error(self, error: GatewayError) -> bytes: ...


class Reply:
    """One question for each plan. It ends with its call, however that ends."""

    def __init__(
        self,
        call: Call,
        plans: Sequence[Plan],
        operation: str,
        *,
        stream: bool,
        prepares: Callable[[Answer], Plan] | None = None,
    ) -> None:
        """`operation`: OpenTelemetry's name for what is done: "chat", "text_completion"; `stream`: the answer is handed
        out as it comes; `prepares`: as in Choice.

        Use `begin`: what it may use must have been reserved.
        """
        self._gateway: Gateway = call.gateway
        self._client: Client = call.client
        self._admission: Admission = call.admission
        self._record: Record = call.record
        self._operation = operation
        self._body_at: float = call.read_at
        self._handed_on: float | None = None
        self._answered = False
        self._stopped: GatewayError | None = None
        self._status = CLIENT_GONE  # the answer's, whatever was sent with its first byte
        self.usage = Usage()
        self.on_settled: Callable[[Usage], None] = lambda _: None  # everything is answered
        self.on_spent: Callable[[float], None] = lambda _: None  # US dollars, reported by the CLI after the answer
        ask = partial(self._gateway.ask, client=self._client, request_id=call.record.request_id, whole=not stream)
        ask = partial(ask, route=call.record.route)
        self._choices = [Choice(ask, plan, prepares) for plan in plans]
        for choice in self._choices:
            call.ending.callback(choice.close)
        call.ending.callback(self._observe)
        self._record.booked = True
        running = RunningRequest(
            self._record.request_id, self._client.name, plans[0].model.id, self._record.route, stream,
            self._record.started, lambda: self.questions,
        )  # fmt: skip
        self._gateway.counts.running.add(running)
        call.ending.callback(self._gateway.counts.running.discard, running)
        call.ending.enter_context(self._gateway.clients.book.under_way(self._client, self._revoked))

    @classmethod
    async def begin(
        cls,
        call: Call,
        plans: Sequence[Plan],
        operation: str,
        *,
        stream: bool,
        prepares: Callable[[Answer], Plan] | None = None,
    ) -> "Reply":
        """Reserve what the answers may use, and ask. Arguments as above; raises what `reserve` does."""
        await reserve(call, plans, operation)
        return cls(call, plans, operation, stream=stream, prepares=prepares)

    @property
    def questions(self) -> list[Question]:
        """The question of each choice: the last one, if there were several."""
        return [choice.question for choice in self._choices]

    @property
    def model(self) -> str:
        """The model that answers, once known; until then, the requested one."""
        return self.head.answer.model or self.head.plan.model.id

    @property
    def head(self) -> Question:
        """The question that the headers describe: one that a fallback model answers, if there is any."""
        return next((question for question in self.questions if question.plan.stands_in_for), self.questions[0])

    def stop(self, error: GatewayError) -> None:
        """End it now; its reader gets `error`. Never waits."""
        self._stopped = self._stopped or error
        for choice in self._choices:
            choice.close()

    async def whole(self, take: Callable[[Sequence[Output]], object] = len) -> None:
        """Read every answer to its end. Raises the GatewayError of the first that fails.

        `take` gets all outputs of each, for callers that need more than the collected answer.
        """
        try:
            for choice in self._choices:
                take(await choice.whole(HEARTBEAT_SECONDS))
                self._count(choice)
        except GatewayError as error:
            raise self._told(error) from None
        self._settle()

    async def begun(self) -> None:
        """Wait for the first token, but no longer than a heartbeat. Raises the GatewayError of a failure before it."""
        with trio.move_on_after(HEARTBEAT_SECONDS):
            try:
                await first_of_all(self._choices)
            except GatewayError as error:
                raise self._told(error) from None
            first_at = self.questions[-1].first_at
            self._handed_on = trio.current_time() - first_at if first_at is not None else None
        for choice in self._choices:
            choice.may_change_model = False

    async def stream(
        self,
        make: Callable[[str], tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]],
        headers: Callable[[Question], dict[str, str]],
    ) -> Response:
        """The streamed response. `make`, given the model, returns the stream, its first events, and what writes one.

        Waits for the first token, so that a failure before it gets a real status, but no longer than a heartbeat.
        """
        await self.begun()
        events = self.events(*make(self.model))
        response = Response(events, headers={**STREAM_HEADERS, **headers(self.head)})
        response.timeout = None  # Quart's default would cut the stream after 60 s
        return response

    async def events(
        self,
        stream: Stream,
        opening: Iterable[bytes],
        write: Callable[[int, Output], bytes | None],
        failure: Exception | None = None,
    ) -> AsyncIterator[bytes]:
        """All events of the stream, and a comment for each heartbeat of silence. An error is the last event; `failure`
        is one from before the first token, for which there was no status.

        Events of one batch come in one piece: each piece has its own way through the server and its own write, which
        would double the processor time of an event.
        """
        for event in opening:
            yield event
        end = b""
        try:
            if failure is not None:
                raise failure  # noqa: TRY301 - told as any other
            async with aclosing(mixed_outputs(self._choices, HEARTBEAT_SECONDS)) as mixed:
                async for index, outputs in mixed:
                    if not outputs:
                        yield stream.silence
                    elif written := b"".join(filter(None, [write(index, output) for output in outputs])):
                        yield written
                    if any(isinstance(output, Finished) for output in outputs):
                        self._count(self._choices[index])
        except Exception as error:  # noqa: BLE001 - the boundary of a streamed answer: its status has been sent
            end = stream.error(self._refused(self._broken(error)))
        else:
            self._settle()
            if stream.include_usage:
                end = stream.usage(self.usage)
        if end := end + stream.done:
            yield end

    def _broken(self, error: Exception) -> GatewayError:
        """How an error inside a stream is reported."""
        if isinstance(error, GatewayError):
            return self._told(error)
        log_event(log, logging.ERROR, "a stream failed unexpectedly", cause=error, request_id=self._record.request_id)
        self._status = InternalError.status
        return InternalError("cannot continue: internal error")

    def _refused(self, error: GatewayError) -> GatewayError:
        """Count an error reported inside a stream."""
        self._gateway.counts.refused(error)
        self._record.code = error.code
        return error

    def _count(self, choice: Choice) -> None:
        """Count a complete answer for its key and this request, and unused ones too: they cost money."""
        for question in choice.answered:
            self.usage += usage_of(finished(question).usage)
            if not question.plan.model.workspace:  # requests made there were counted on their own
                self._gateway.questions.answered(question)

    def _spent(self) -> int:
        """The tokens that the request has used so far, as far as is known."""
        return sum(_spent(question) for choice in self._choices for question in choice.every)

    def _settle(self) -> None:
        """Count what the request used for its client."""
        self._answered, self._status = True, 200
        self._used(self.usage.prompt_tokens + self.usage.completion_tokens)
        self.on_settled(self.usage)
        record, head = self._record, self.questions[0]
        record.prompt_tokens, record.completion_tokens = self.usage.prompt_tokens, self.usage.completion_tokens
        record.key, record.how = head.key, head.how

    def _used(self, tokens: int) -> None:
        """Settle the limit and count the request for its client, once."""
        if not self._admission.settled:
            self._admission.settle(tokens, trio.current_time())
            if tokens or self._answered:
                self._gateway.clients.book.used(self._client, tokens, time.time())

    def _told(self, error: GatewayError) -> GatewayError:
        """The error that the client gets: if the answer was stopped, the reason for that takes precedence."""
        self._used(self._spent())
        error = self._stopped or error
        self._status = error.status
        return error

    def _observe(self) -> None:
        """When the request is over: settle what was not fully answered, and update the metrics."""
        self._used(self._spent())
        self._book()
        if self._gateway.config.log.content:
            for question in (each for choice in self._choices for each in choice.every):
                log_content("answered", encode(question.answer.spoken()), question.request_id)
        head, started = self._choices[0].earliest, self._record.started
        self._gateway.metrics.asked(
            Asked(
                operation=self._operation,
                model=head.plan.model.id,
                error="" if self._answered else self._record.code or "client_gone",
                duration=trio.current_time() - started,
                first_token=head.spoke_at - started if head.spoke_at is not None else None,
                usage=self.usage if self._answered else None,
                own=head.asked_at - self._body_at - head.waited if head.asked_at is not None else None,
                handed_on=self._handed_on,
            )
        )

    def _book(self) -> None:
        """Record usage: an entry for each answer; one stands for the request, unless that is part of another."""
        ledger, started = self._gateway.ledger, self._record.started
        spending = self._gateway.clients.book.spending
        part_of = self._record.part_of
        whole = Sums() if part_of else Sums(requests=1, all_ms=milliseconds_since(started))
        spoke_at = self._choices[0].earliest.spoke_at
        if spoke_at is not None and not part_of:
            whole.firsts, whole.first_ms = 1, round((spoke_at - started) * 1000)
        minute, uses = minute_of(ledger.clock()), self._choices[0].question.uses

        def line(question: Question, key: str, how: str, answered: str) -> Line:
            model, route = part_of or (question.plan.model.id, self._record.route)
            return Line(minute, self._client.name, key, model, answered, route, how, self._status)

        if not uses and not part_of:
            asked = self._choices[0].question
            ledger.note(line(asked, "", asked.how, ""), whole)
        for question in (each for choice in self._choices for each in choice.every):
            for use in question.uses:
                place = line(question, use.key, question.how, use.answer.model[:MODEL_CHARACTERS])
                booking = Booking(ledger.note, spending, place, use.answer, self.on_spent)
                booking.begin(whole if use is uses[-1] else Sums())  # the last one stands for the request

    def _revoked(self) -> None:
        self.stop(AuthenticationFailed("cannot continue: this API key was revoked; ask the operator for a new one"))


def finished(question: Question) -> Finished:
    """How the answer ended. Raises InternalError if it did not."""
    end = question.answer.finished
    if end is None:
        raise InternalError("cannot answer: the turn ended without an answer")
    return end


def worker_headers(question: Question, ignored: Sequence[str], told: Callable[[str], str] = str) -> dict[str, str]:
    """How the worker was obtained, which fallback model answers, and which parameters have no effect. `told` translates
    those that only the plan ignores to the names of the client's API."""
    headers = {"x-claudegw-worker": question.how} if question.how else {}
    if question.plan.stands_in_for:
        headers["x-claudegw-fallback"] = question.plan.model.id
    if question.bound:
        headers["x-claudegw-stopped"] = question.bound
    return headers | ignored_header((*ignored, *map(told, (*question.plan.settings.ignored, *question.altered))))


def ignored_header(names: Sequence[str]) -> dict[str, str]:
    """Which parameters have no effect."""
    return {"x-claudegw-ignored": ", ".join(dict.fromkeys(names))} if names else {}


def _spent(question: Question) -> int:
    """The tokens that one question has used so far, as far as is known."""
    end = question.answer.finished
    if end is not None:
        return end.usage.prompt + end.usage.completion
    if question.asked_at is None or question.error is not None:
        return 0  # it was not asked, or nothing was answered
    return used_tokens(question.plan, question.answer)


def usage_of(count: TokenCount) -> Usage:
    """Usage in the form of the outer protocols."""
    return Usage(count.prompt, count.completion, count.cached, count.reasoning, count.written)
