"""Creates one response, from a valid request to its last event, for HTTP, background responses and WebSockets."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import trio

from claudegwd.gateway.planning import plan_chat
from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import GatewayError, UpstreamUnavailable
from claudegwd.openai_api.responses.compaction import compacted, summarising
from claudegwd.openai_api.responses.history import OWN_INPUT_ID
from claudegwd.openai_api.responses.items import CompactionItem
from claudegwd.openai_api.responses.request import ResponsesRequest
from claudegwd.openai_api.responses.response import ResponseObject, compaction_body
from claudegwd.openai_api.responses.stream import ResponsesStream
from claudegwd.openai_api.usage import Usage
from claudegwd.public.call import Call
from claudegwd.public.images import with_fetched_images
from claudegwd.public.reply import Reply, ignored_header, worker_headers
from claudegwd.store.read_conversations import ReadConversation
from claudegwd.store.responses import KeptResponse
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import (
    Cited,
    Finished,
    Output,
    Reasoning,
    Refusal,
    ServerToolInput,
    ServerToolResult,
    ServerToolStart,
    TextPiece,
    ToolArguments,
    ToolStart,
)
from claudegwd.translate.request.estimate import prompt_tokens
from claudegwd.translate.request.history import Begun
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.question.question import Question

Opened = tuple[ResponsesStream, Iterable[bytes], Callable[[int, Output], bytes | None]]


class ResponseMaking:
    """First `ask`; then pass `opened` to the reply, or take it `whole`."""

    def __init__(self, call: Call, wanted: ResponsesRequest, *, unstored: str = "") -> None:
        """`unstored`: for whom it is kept if it is not to be stored; "" for nobody."""
        self._unstored = unstored
        self.wanted = wanted
        self.created = int(time.time())
        self.reply: Reply
        self._call = call
        self._token = token_hex(12)
        self._begun: Begun | None = None
        self._sealed: str | None = None  # a summary not yet sent in an event

    @property
    def ident(self) -> str:
        """The id of the response."""
        return f"resp_{self._token}"

    @contextmanager
    def told(self) -> Iterator[None]:
        """Make errors raised inside name the fields of this API."""
        try:
            yield
        except GatewayError as error:
            raise self.wanted.paths.told(error) from None

    async def ask(self, *, in_one_piece: bool = False) -> None:
        """Plan and ask the question; if the conversation is too long, first for its summary. `in_one_piece`: nothing of
        the answer is handed out before its end."""
        with self.told():
            chat = await with_fetched_images(self._call.gateway, self.wanted.chat)
            plan = self._plan(summarising(chat) if self.wanted.compacts else chat)
            threshold, prepares = self.wanted.threshold, None
            if threshold is not None and not self.wanted.compacts and prompt_tokens(plan) >= threshold:
                plan, prepares = self._plan(summarising(chat)), lambda answer: self._go_on(chat, answer)
            self.reply = await Reply.begin(self._call, [plan], "chat", stream=not in_one_piece, prepares=prepares)

    def opened(self, model: str) -> Opened:
        """The stream, its first events, and what writes one."""
        stream = self._stream(model)
        self.reply.on_settled = lambda usage: self._end(stream, usage)
        return stream, stream.opening(), lambda _, output: self._write(stream, output)

    def queued(self) -> bytes:
        """The response object until it is opened; `model` is the one that was asked for."""
        return self._stream(self.reply.model).queued()

    async def nothing(self) -> list[bytes]:
        """The events of a response for which no model is asked: it is only kept, to be continued later."""
        with self.told():
            chat = await with_fetched_images(self._call.gateway, self.wanted.chat)
            stream = self._stream(self._plan(chat).model.id)
        events = [*stream.opening(), stream.finish("stop"), stream.usage(Usage())]
        self.keep(stream)
        return events

    async def whole(self) -> bytes:
        """The response object."""
        stream, outputs = await self._outputs()
        for output in outputs:
            self._write(stream, output)
        self._end(stream, self.reply.usage)
        return stream.body

    async def compaction(self) -> bytes:
        """The compacted conversation, for a request that asks only for that."""
        await self._outputs()
        item = CompactionItem(self._token, 0, self._seal(self.reply.questions[0].answer))
        words = [_with_id(word, self._token, index) for index, word in enumerate(self.wanted.words())]
        return compaction_body(self.ident, self.created, words, item.json(b"completed"), self.reply.usage)

    def headers(self, question: Question | None = None) -> dict[str, str]:
        """How the worker was obtained, which parameters have no effect, and for load balancers the response's id: what
        continues it must come back here."""
        found, ignored = {"x-claudegw-response": self.ident}, self.wanted.chat.ignored
        if question is None:
            return found | ignored_header(ignored)
        return found | worker_headers(question, ignored, self.wanted.paths.of)

    async def _outputs(self) -> tuple[ResponsesStream, list[Output]]:
        outputs: list[Output] = []
        with self.told():
            await self.reply.whole(outputs.extend)
        return self._stream(self.reply.model), outputs

    def _stream(self, model: str) -> ResponsesStream:
        made = ResponseObject(self.ident, self.created, model, self.wanted.echo)
        return ResponsesStream(made, self._token, self.wanted.shapes, sources=self.wanted.sources)

    def _plan(self, chat: ChatRequest) -> Plan:
        """Plan a question; only what is new since the last turn is translated."""
        previous = self.wanted.previous
        read = self._call.gateway.responses.kept.read.get(previous) if previous is not None else None
        plan = plan_chat(self._call.gateway, chat, self._call.client, read.begun if read is not None else None)
        self._begun = Begun(plan.base, chat.messages, plan.entries)
        return plan

    def _go_on(self, chat: ChatRequest, answer: Answer) -> Plan:
        """The question after the summary."""
        self._sealed = self._seal(answer)
        return self._plan(compacted(chat, answer.text))

    def _seal(self, answer: Answer) -> str:
        if not answer.text.strip():
            raise UpstreamUnavailable(
                "cannot compact the conversation: the model wrote no summary; try again", code="invalid_model_output"
            )
        return self._call.gateway.responses.seal.seal(self._call.client.owner, answer.text)

    def _write(self, stream: ResponsesStream, output: Output) -> bytes | None:
        if self.wanted.compacts:
            if not isinstance(output, Finished):
                return None  # the summary is for us
            self._sealed = self._seal(self.reply.questions[0].answer)
        if self._sealed is None:
            return _written(stream, output)
        sealed, self._sealed = self._sealed, None
        return stream.compaction(sealed) + (_written(stream, output) or b"")

    def _end(self, stream: ResponsesStream, usage: Usage) -> None:
        stream.complete(usage)
        if not self.wanted.background:
            self.keep(stream)

    def keep(self, stream: ResponsesStream) -> None:
        """Keep the final response, if it is to be kept."""
        owner = self._call.client.owner if self.wanted.store else self._unstored
        if self.wanted.store or owner:
            # The history holds the same items, so what continues from here knows them by the same ids.
            items = [_with_id(item, self._token, index) for index, item in enumerate(self.wanted.items)]
            ids = (*(item["id"] for item in items), *stream.item_ids)
            kept = KeptResponse(self.ident, self.wanted.previous, stream.body, encode(items), ids)
            history = self.wanted.history
            read = ReadConversation(history.as_earlier(), self._begun, history.kept_bytes + kept.size)
            self._call.gateway.responses.kept.keep(owner, kept, trio.current_time(), read)


def _with_id(item: dict[str, Any], token: str, index: int) -> dict[str, Any]:
    """The item, with an id of ours if it has none."""
    given = item.get("id")
    item["id"] = given if given and isinstance(given, str) else f"{OWN_INPUT_ID}{token}{index:04x}"
    return item


def _written(stream: ResponsesStream, output: Output) -> bytes | None:
    match output:
        case TextPiece(raw=raw):
            return stream.text(raw)
        case ToolArguments(index=call, raw=raw):
            return stream.tool_arguments(call, raw)
        case Reasoning(raw=raw):
            return stream.reasoning(raw)
        case Refusal(raw=raw):
            return stream.refusal(raw)
        case ToolStart(id=ident, name=name):
            return stream.tool_start(ident, name)
        case ServerToolStart(id=ident):
            return stream.search_start(ident)  # the only server tool offered here
        case ServerToolInput(id=ident, input=asked):
            return stream.search_input(ident, asked.get("query"))
        case ServerToolResult(id=ident, pages=pages, failed=failed):
            return stream.search_result(ident, pages, failed=failed)
        case Cited(start=start, end=end, url=url, title=title):
            return stream.citation(start, end, url, title)
        case Finished(reason=reason):
            return stream.finish(reason)
    return None
