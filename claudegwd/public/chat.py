"""POST /v1/chat/completions: the request is planned and asked, and its outputs are written as they arrive."""

import time
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any

import msgspec
from quart import Response

from claudegwd.gateway.planning import plan_chat
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.chat.request import ChatRequest, ToolCall, read_chat_request
from claudegwd.openai_api.chat.response import ChatChoice, ChatStream, Citation, completion_body
from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.parameters import read_include_usage
from claudegwd.openai_api.responses.request import read_responses_request
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.public.earlier import with_earlier
from claudegwd.public.images import with_fetched_images
from claudegwd.public.older_gateway.chat import follow, in_session
from claudegwd.public.reply import Reply, Stream, finished, worker_headers
from claudegwd.translate.answer.turn import (
    Cited,
    Finished,
    Output,
    Reasoning,
    Refusal,
    TextPiece,
    ToolArguments,
    ToolStart,
)
from claudegwd.workers.question.question import Question


async def chat_completions(call: Call) -> Response:
    """Answer one chat request, streaming or not."""
    body = await read_body(call)
    fields = Fields(read_object(body, BOUNDS))
    if fields.get("messages") is None and isinstance(fields.get("input"), list):
        return await _other_shape(call, fields, len(body))
    return await _answer(call, read_chat_request(fields, BOUNDS))


async def _other_shape(call: Call, fields: Fields, size: int) -> Response:
    """Answer a chat in the format of /v1/responses: Cursor sends these, and expects chat completions."""
    gateway = call.gateway
    wanted = await with_earlier(
        gateway, call.client.owner, size, lambda earlier: read_responses_request(fields, BOUNDS, earlier)
    )
    # What only the other route does.
    asked = {
        "background": wanted.background,
        "context_management": wanted.threshold is not None,
        "input.compaction_trigger": wanted.compacts,
        "metadata": bool(fields.get("metadata")),
        "store": fields.get("store") is True,
    }
    ignored = (*wanted.chat.ignored, *(name for name, is_asked in asked.items() if is_asked))
    chat = msgspec.structs.replace(wanted.chat, include_usage=read_include_usage(fields), ignored=ignored)
    try:
        return await _answer(call, chat)
    except GatewayError as error:
        raise wanted.paths.told(error) from None


async def _answer(call: Call, wanted: ChatRequest) -> Response:
    gateway = call.gateway
    wanted = await in_session(call, wanted)
    wanted = await with_fetched_images(gateway, wanted)
    reply = await Reply.begin(call, [plan_chat(gateway, wanted, call.client)] * wanted.n, "chat", stream=wanted.stream)
    follow(call, reply, wanted)

    def headers(question: Question) -> dict[str, str]:
        return worker_headers(question, wanted.ignored) | _older_headers(wanted)

    if wanted.stream:
        return await reply.stream(lambda model: _stream(wanted, model), headers)
    await reply.whole()
    body = completion_body(
        _new_id(), int(time.time()), reply.model, [_choice(*each) for each in enumerate(reply.questions)],
        reply.usage, _older_fields(wanted), legacy_functions=wanted.uses_legacy_functions,
    )  # fmt: skip
    return Response(body, content_type="application/json", headers=headers(reply.head))


def _choice(index: int, question: Question) -> ChatChoice:
    answer = question.answer
    calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in answer.calls)
    reason: Any = finished(question).reason
    text = answer.text
    return ChatChoice(
        index=index,
        content=text if text or not (calls or answer.refusal) else None,
        refusal=answer.refusal,
        reasoning_content=answer.reasoning or None,
        tool_calls=calls,
        finish_reason=reason,
        citations=tuple(Citation(one.start, one.end, one.url, one.title) for one in answer.citations),
    )


def _stream(wanted: ChatRequest, model: str) -> tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]:
    stream = ChatStream(
        _new_id(), int(time.time()), model, include_usage=wanted.include_usage,
        legacy_functions=wanted.uses_legacy_functions,
    )  # fmt: skip

    def write(index: int, output: Output) -> bytes | None:
        match output:
            case TextPiece(raw=raw):
                return stream.text(index, raw)
            case ToolArguments(index=call, raw=raw):
                return stream.tool_arguments(index, call, raw)
            case Reasoning(raw=raw):
                return stream.reasoning(index, raw)
            case Refusal(raw=raw):
                return stream.refusal(index, raw)
            case Cited(start=start, end=end, url=url, title=title):
                return stream.citation(index, Citation(start, end, url, title))
            case ToolStart(index=call, id=ident, name=name):
                return stream.tool_start(index, call, ident, name)
            case Finished(reason=reason):
                known: Any = reason
                return stream.finish(index, known)
        return None

    return stream, [stream.role(index) for index in range(wanted.n)], write


def _older_headers(wanted: ChatRequest) -> dict[str, str]:
    older = {"x-session-id": wanted.session_id, "x-project-id": wanted.project_id}
    return {name: value for name, value in older.items() if value and value.isascii() and value.isprintable()}


def _older_fields(wanted: ChatRequest) -> dict[str, str]:
    fields = {"session_id": wanted.session_id, "project_id": wanted.project_id}
    return {name: value for name, value in fields.items() if value is not None}


def _new_id() -> str:
    return f"chatcmpl-{token_hex(12)}"
