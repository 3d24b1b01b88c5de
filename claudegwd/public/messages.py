"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's own API, answered by the upstream's own events."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import msgspec
from quart import Response, g, request

from claudegwd.gateway import Gateway
from claudegwd.messages_api.assemble import message_body
from claudegwd.messages_api.confined import check_confined
from claudegwd.messages_api.request import check_version, read_messages_request
from claudegwd.messages_api.stream import MessageStream
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InternalError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.json_body import read_object
from claudegwd.planning import plan_messages
from claudegwd.public.bodies import read_body
from claudegwd.public.protocol import VERSION_HEADER
from claudegwd.public.reply import Reply, Stream, worker_headers
from claudegwd.translate.estimate import prompt_tokens
from claudegwd.translate.plan import Plan
from claudegwd.translate.turn import Finished, Output, Verbatim

_JSON = "application/json"


async def messages_create() -> Response:
    """Answer one request, streaming or not."""
    ignored = check_version(request.headers.get(VERSION_HEADER))
    plan, stream = await _planned(counts=False)
    reply = Reply([plan], "chat", stream=stream)
    if (grant := g.get("grant")) is not None:
        reply.on_spent = grant.spend
    if stream:
        return await reply.stream(lambda _: _stream(g.request_id), lambda asked: worker_headers(asked, ignored))
    events: list[bytes] = []

    def take(outputs: Sequence[Output]) -> None:
        events.extend(output.raw for output in outputs if isinstance(output, Verbatim))

    await reply.whole(take)
    try:
        body = message_body(events)
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError("cannot answer: the upstream's events do not make a message") from error
    return Response(body, content_type=_JSON, headers=worker_headers(reply.head, ignored))


async def messages_count() -> Response:
    """About how many tokens a request has: an estimate, and the header says so, for nobody is asked."""
    check_version(request.headers.get(VERSION_HEADER))
    plan, _ = await _planned(counts=True)
    body = encode({"input_tokens": prompt_tokens(plan)})
    return Response(body, content_type=_JSON, headers={"x-claudegw-estimated": "input_tokens"})


async def _planned(*, counts: bool) -> tuple[Plan, bool]:
    gateway: Gateway = g.gateway
    fields = Fields(read_object(await read_body(), gateway.bounds))
    betas = ",".join(request.headers.getlist("anthropic-beta"))
    wanted = read_messages_request(fields, betas, gateway.bounds, counts=counts)
    if (grant := g.get("grant")) is not None:  # from a workspace: one model answers all that is asked for one answer
        check_confined(wanted, searches=grant.searches)
        wanted = msgspec.structs.replace(wanted, model=grant.model)
        return replace(plan_messages(gateway, wanted, g.client), fallback=None), wanted.stream
    return plan_messages(gateway, wanted, g.client), wanted.stream


def _stream(
    request_id: str,
) -> tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]:
    stream = MessageStream(request_id)

    def write(_: int, output: Output) -> bytes | None:
        match output:
            case Verbatim(name=name, raw=raw):
                return stream.event(name, raw)
            case Finished():
                return stream.stop()
        return None

    return stream, (), write
