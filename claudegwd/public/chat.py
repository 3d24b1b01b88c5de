"""POST /v1/chat/completions: the request is planned and asked, and its outputs are written as they come."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import trio
from quart import Response, g

from claudegwd.gateway import Gateway
from claudegwd.limits.clients import Client
from claudegwd.limits.meter import Admission
from claudegwd.openai_api.chat_request import ChatRequest, ToolCall, parse_chat_request
from claudegwd.openai_api.chat_response import DONE, KEEP_ALIVE, ChatStream, Choice, Usage, completion_body
from claudegwd.openai_api.errors import GatewayError, InternalError
from claudegwd.openai_api.sse import CONTENT_TYPE
from claudegwd.public.choices import Choices
from claudegwd.public.requests import Record, at_end, during, read_body
from claudegwd.translate.turn import Finished, Output, Reasoning, Text, TokenCount, ToolArguments, ToolStart
from claudegwd.workers.asking import Asking

# Proxies and clients give up on a silent connection after 30 to 60 s.
HEARTBEAT_SECONDS = 15.0

_STREAM_HEADERS = {
    "content-type": CONTENT_TYPE,
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


async def chat_completions() -> Response:
    """Answer one chat request, streaming or not."""
    gateway: Gateway = g.gateway
    wanted = parse_chat_request(await read_body(), gateway.bounds)
    plan = gateway.plan(wanted, g.client)
    g.record.model = plan.model.id
    askings = [gateway.desk.ask(plan, g.request_id) for _ in range(wanted.n)]
    for asking in askings:
        at_end(asking.close)
        during(gateway.clients.book.under_way(g.client, asking.close))
    choices = Choices(askings)
    if wanted.stream:
        return await _stream(gateway, wanted, choices)
    return await _whole(gateway, wanted, choices)


async def _whole(gateway: Gateway, wanted: ChatRequest, choices: Choices) -> Response:
    usage = Usage()
    answers = []
    for index, asking in enumerate(choices.askings):
        await asking.first()
        while await asking.next(HEARTBEAT_SECONDS) is not None:
            pass
        usage += _usage(_finished(asking).usage)
        answers.append(_choice(index, asking))
        gateway.answered(asking)
    Account(g.client, g.admission, g.record).settle(gateway, usage, choices.askings[0])
    head = choices.askings[0]
    body = completion_body(
        _new_id(), int(time.time()), head.answer.model or head.plan.model.id, answers, usage, _older_fields(wanted),
        legacy_functions=wanted.uses_legacy_functions,
    )  # fmt: skip
    return Response(body, content_type="application/json", headers=_headers(wanted, head))


def _choice(index: int, asking: Asking) -> Choice:
    answer = asking.answer
    calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in answer.calls)
    reason: Any = _finished(asking).reason
    text = answer.text
    return Choice(
        index=index,
        content=text if text or not calls else None,
        reasoning_content=answer.reasoning or None,
        tool_calls=calls,
        finish_reason=reason,
    )


async def _stream(gateway: Gateway, wanted: ChatRequest, choices: Choices) -> Response:
    """Wait for the first token, so that a failure before it is a real status; but no longer than a heartbeat."""
    with trio.move_on_after(HEARTBEAT_SECONDS):
        await choices.first()
    head = choices.askings[0]
    events = _events(gateway, wanted, choices, Account(g.client, g.admission, g.record))
    response = Response(events, headers={**_STREAM_HEADERS, **_headers(wanted, head)})
    response.timeout = None  # Quart's default would cut the stream after 60 s
    return response


async def _events(gateway: Gateway, wanted: ChatRequest, choices: Choices, account: "Account") -> AsyncIterator[bytes]:
    head = choices.askings[0]
    model = head.answer.model or head.plan.model.id
    stream = ChatStream(
        _new_id(), int(time.time()), model, include_usage=wanted.include_usage,
        legacy_functions=wanted.uses_legacy_functions,
    )  # fmt: skip
    usage = Usage()
    for index in range(len(choices.askings)):
        yield stream.role(index)
    try:
        async for index, outputs in choices.outputs(HEARTBEAT_SECONDS):
            if not outputs:
                yield KEEP_ALIVE
            for output in outputs:
                event = _event(stream, index, output)
                if event is not None:
                    yield event
                if isinstance(output, Finished):
                    usage += _usage(output.usage)
                    gateway.answered(choices.askings[index])
    except GatewayError as error:
        gateway.refused(error)
        account.record.code = error.code
        yield stream.error(error)
    else:
        account.settle(gateway, usage, head)
        if wanted.include_usage:
            yield stream.usage(usage)
    yield DONE


@dataclass(frozen=True, slots=True)
class Account:
    """To whom a request is counted, and where it is written down."""

    client: Client
    admission: Admission
    record: Record

    def settle(self, gateway: Gateway, usage: Usage, asking: Asking) -> None:
        """Count what an answered request has used."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        self.admission.settle(tokens, trio.current_time())
        gateway.clients.book.used(self.client, tokens, time.time())
        self.record.prompt_tokens, self.record.completion_tokens = usage.prompt_tokens, usage.completion_tokens
        self.record.key, self.record.how = asking.key, asking.how


def _event(stream: ChatStream, index: int, output: Output) -> bytes | None:
    match output:
        case Text(raw=raw):
            return stream.text(index, raw)
        case ToolArguments(index=call, raw=raw):
            return stream.tool_arguments(index, call, raw)
        case Reasoning(raw=raw):
            return stream.reasoning(index, raw)
        case ToolStart(index=call, id=ident, name=name):
            return stream.tool_start(index, call, ident, name)
        case Finished(reason=reason):
            known: Any = reason
            return stream.finish(index, known)
    return None


def _finished(asking: Asking) -> Finished:
    finished = asking.answer.finished
    if finished is None:
        raise InternalError("cannot answer: the turn ended without an answer")
    return finished


def _usage(count: TokenCount) -> Usage:
    return Usage(count.prompt, count.completion, count.cached, count.reasoning)


def _headers(wanted: ChatRequest, asking: Asking) -> dict[str, str]:
    headers = {"x-claudegw-worker": asking.how} if asking.how else {}
    ignored: Sequence[str] = (*wanted.ignored, *asking.plan.settings.ignored)
    if ignored:
        headers["x-claudegw-ignored"] = ", ".join(dict.fromkeys(ignored))
    older = {"x-session-id": wanted.session_id, "x-project-id": wanted.project_id}
    return headers | {name: value for name, value in older.items() if value and value.isascii() and value.isprintable()}


def _older_fields(wanted: ChatRequest) -> dict[str, str]:
    fields = {"session_id": wanted.session_id, "project_id": wanted.project_id}
    return {name: value for name, value in fields.items() if value is not None}


def _new_id() -> str:
    return f"chatcmpl-{token_hex(12)}"
