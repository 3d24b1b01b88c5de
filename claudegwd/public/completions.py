"""POST /v1/completions: each prompt is asked as a separate chat, and only the text is returned."""

import time
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any

from quart import Response

from claudegwd.gateway.planning import plan_chat
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.completions.request import CompletionsRequest, parse_completions_request
from claudegwd.openai_api.completions.response import (
    CompletionStream,
    TextChoice,
    TextFinishReason,
    text_completion_body,
)
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import ContextLengthExceeded, UnsupportedParameter
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.public.reply import Reply, Stream, finished, worker_headers
from claudegwd.translate.answer.turn import Finished, Output, TextPiece
from claudegwd.workers.question.question import Question


async def completions(call: Call) -> Response:
    """Answer one request, streaming or not: `n` choices per prompt, those of the first prompt first."""
    gateway = call.gateway
    wanted = parse_completions_request(await read_body(call), BOUNDS)
    plans = [plan_chat(gateway, chat, call.client) for chat in wanted.chat_requests() for _ in range(chat.n)]
    if len(plans) > 1 and plans[0].model.workspace:
        several = "several prompts: their answers would work in the same directory at the same time"
        raise UnsupportedParameter(f"cannot accept {several}", param="prompt")
    reply = await Reply.begin(call, plans, "text_completion", stream=wanted.stream)

    def headers(question: Question) -> dict[str, str]:
        return worker_headers(question, wanted.ignored)

    try:
        if wanted.stream:
            return await reply.stream(lambda model: _stream(wanted, model), headers)
        await reply.whole()
    except ContextLengthExceeded as error:
        raise ContextLengthExceeded(error.message, param="prompt") from None  # there are no messages here
    choices = [_choice(wanted, *each) for each in enumerate(reply.questions)]
    body = text_completion_body(_new_id(), int(time.time()), reply.model, choices, reply.usage)
    return Response(body, content_type="application/json", headers=headers(reply.head))


def _choice(wanted: CompletionsRequest, index: int, question: Question) -> TextChoice:
    text = (wanted.prompts[index // wanted.n] if wanted.echo else "") + question.answer.text
    return TextChoice(index=index, text=text, finish_reason=_reason(finished(question)))


def _stream(
    wanted: CompletionsRequest, model: str
) -> tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]:
    stream = CompletionStream(_new_id(), int(time.time()), model, include_usage=wanted.include_usage)

    def write(index: int, output: Output) -> bytes | None:
        match output:
            case TextPiece(raw=raw):
                return stream.text(index, raw)
            case Finished():
                return stream.finish(index, _reason(output))
        return None  # this protocol has no place for thinking

    echoed = wanted.prompts if wanted.echo else ()
    opening = [
        stream.text(prompt * wanted.n + choice, encode(text))
        for prompt, text in enumerate(echoed)
        for choice in range(wanted.n)
    ]
    return stream, opening, write


def _reason(end: Finished) -> TextFinishReason:
    # A model may call a tool that it was never offered. This protocol has no place for a call.
    reason: Any = end.reason if end.reason != "tool_calls" else "stop"
    return reason  # type: ignore[no-any-return]


def _new_id() -> str:
    return f"cmpl-{token_hex(12)}"
