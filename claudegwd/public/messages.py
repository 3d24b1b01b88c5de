"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's own API, answered with the upstream's own events."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from secrets import token_hex

import msgspec
from quart import Response, request

from claudegwd.gateway.planning import plan_messages
from claudegwd.messages_api.assemble import message_body
from claudegwd.messages_api.confined import check_confined
from claudegwd.messages_api.made import Event, MadeMessage
from claudegwd.messages_api.request import check_version, read_messages_request
from claudegwd.messages_api.stream import MessageStream
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InternalError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.json_body import read_object
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.public.protocol import VERSION_HEADER
from claudegwd.public.reply import Reply, Stream, usage_of, worker_headers
from claudegwd.translate.answer.turn import Finished, Output, Reasoning, TextPiece, ToolArguments, ToolStart, Verbatim
from claudegwd.translate.request.estimate import prompt_tokens
from claudegwd.translate.request.plan import Plan

_JSON = "application/json"


async def messages_create(call: Call) -> Response:
    """Answer one request, streaming or not."""
    ignored = check_version(request.headers.get(VERSION_HEADER))
    plan, stream = await _planned(call, counts=False)
    reply = await Reply.begin(call, [plan], "chat", stream=stream)
    if (grant := call.grant) is not None:
        reply.on_spent = grant.spend
    if stream:
        make = _made_stream if plan.model.workspace else _stream
        return await reply.stream(partial(make, call.record.request_id), lambda asked: worker_headers(asked, ignored))
    said: list[Output] = []
    await reply.whole(said.extend)
    try:
        body = message_body(_events(said, reply.model) if plan.model.workspace else _verbatim(said))
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError("cannot answer: the upstream's events do not form a message") from error
    return Response(body, content_type=_JSON, headers=worker_headers(reply.head, ignored))


async def messages_count(call: Call) -> Response:
    """About how many tokens a request has: an estimate, as the header says, since no model is asked."""
    check_version(request.headers.get(VERSION_HEADER))
    plan, _ = await _planned(call, counts=True)
    body = encode({"input_tokens": prompt_tokens(plan)})
    return Response(body, content_type=_JSON, headers={"x-claudegw-estimated": "input_tokens"})


async def _planned(call: Call, *, counts: bool) -> tuple[Plan, bool]:
    gateway = call.gateway
    fields = Fields(read_object(await read_body(call), BOUNDS))
    betas = ",".join(request.headers.getlist("anthropic-beta"))
    wanted = read_messages_request(fields, betas, BOUNDS, counts=counts)
    if (grant := call.grant) is not None:  # from a workspace
        check_confined(wanted, searches=grant.searches)
        wanted = msgspec.structs.replace(wanted, model=grant.model)
    return plan_messages(gateway, wanted, call.client, confined=grant is not None), wanted.stream


Written = tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]


def _stream(request_id: str, _model: str) -> Written:
    stream = MessageStream(request_id)

    def write(_: int, output: Output) -> bytes | None:
        match output:
            case Verbatim(name=name, raw=raw):
                return stream.event(name, raw)
            case Finished():
                return stream.stop()
        return None

    return stream, (), write


def _verbatim(outputs: Sequence[Output]) -> Iterator[bytes]:
    return (output.raw for output in outputs if isinstance(output, Verbatim))


# -- from a workspace: several upstream messages become one -----------------------------------------------------------


def _made_stream(request_id: str, model: str) -> Written:
    stream, made = MessageStream(request_id), MadeMessage(_new_id(), model)

    def write(_: int, output: Output) -> bytes | None:
        written = b"".join(stream.event(*event) for event in _made(made, output))
        return written + stream.stop() if isinstance(output, Finished) else written

    return stream, [stream.event(*event) for event in made.opening()], write


def _events(outputs: Sequence[Output], model: str) -> Iterator[bytes]:
    made = MadeMessage(_new_id(), model)
    events = [*made.opening(), *(event for output in outputs for event in _made(made, output))]
    return (raw for _, raw in events)


def _made(made: MadeMessage, output: Output) -> list[Event]:
    match output:
        case TextPiece(raw=raw):
            return made.text(raw)
        case Reasoning(raw=raw):
            return made.thinking(raw)
        case ToolStart(id=ident, name=name):
            return made.tool_start(ident, name)
        case ToolArguments(raw=raw):
            return made.tool_arguments(raw)
        case Finished(reason=reason, usage=usage):
            return made.finish(reason, usage_of(usage))
    return []


def _new_id() -> str:
    return f"msg_{token_hex(12)}"
