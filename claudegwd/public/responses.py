"""/v1/responses: a request is asked as a chat, answered in this API's items and events, and kept for a while."""

import time
from collections.abc import Callable, Iterable
from secrets import token_hex

import trio
from quart import Response, g, jsonify, request

from claudegwd.gateway import Gateway
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import GatewayError, InvalidRequest, NotFound, UnsupportedParameter
from claudegwd.openai_api.responses_request import ResponsesRequest, parse_responses_request
from claudegwd.openai_api.responses_response import ResponseObject, page_of_items, parse_items_page
from claudegwd.openai_api.responses_stream import ResponsesStream
from claudegwd.openai_api.usage import Usage
from claudegwd.public.answering import Answering, Stream, worker_headers
from claudegwd.public.bodies import read_body
from claudegwd.public.images import with_fetched_images
from claudegwd.store.responses import KeptResponse, OwnResponses
from claudegwd.translate.turn import Finished, Output, Reasoning, Refusal, Text, ToolArguments, ToolStart
from claudegwd.workers.asking import Asking


async def responses_create() -> Response:
    """Answer one request, streaming or not."""
    gateway: Gateway = g.gateway
    body = await read_body()
    wanted = parse_responses_request(body, gateway.bounds, earlier(len(body)))
    try:
        chat = await with_fetched_images(gateway, wanted.chat)
        return await _answer(wanted, Answering([gateway.plan(chat, g.client)], "chat"))
    except GatewayError as error:
        raise wanted.paths.told(error) from None


def earlier(size: int) -> OwnResponses:
    """What a request whose body has this size may go on from: with it, it is no larger than any body may be."""
    gateway: Gateway = g.gateway
    room = gateway.config.server.max_body_bytes - size
    return gateway.responses.of(g.client.owner, trio.current_time(), room)


async def _answer(wanted: ResponsesRequest, answering: Answering) -> Response:
    token, owner, kept = token_hex(12), g.client.owner, g.gateway.responses

    def made(model: str) -> ResponsesStream:
        return ResponsesStream(
            ResponseObject(f"resp_{token}", int(time.time()), model, wanted.echo), token, wanted.shapes
        )

    def end(stream: ResponsesStream, usage: Usage) -> None:
        stream.complete(usage)
        if wanted.store:
            kept.keep(owner, _kept(token, wanted, stream), trio.current_time())

    def opened(model: str) -> tuple[Stream, Iterable[bytes], Callable[[int, Output], bytes | None]]:
        stream = made(model)
        answering.on_settled = lambda usage: end(stream, usage)
        return stream, stream.opening(), lambda _, output: _write(stream, output)

    def headers(asking: Asking) -> dict[str, str]:
        found = worker_headers(asking, wanted.chat.ignored)
        names = found.get("x-claudegw-ignored")
        return found | ({"x-claudegw-ignored": wanted.paths.ignored(names)} if names else {})

    if wanted.chat.stream:
        return await answering.stream(opened, headers)
    outputs: list[Output] = []
    await answering.whole(outputs.extend)
    stream = made(answering.model)
    for output in outputs:
        _write(stream, output)
    end(stream, answering.usage)
    return Response(stream.body, content_type="application/json", headers=headers(answering.askings[0]))


def _write(stream: ResponsesStream, output: Output) -> bytes | None:
    match output:
        case Text(raw=raw):
            return stream.text(raw)
        case ToolArguments(index=call, raw=raw):
            return stream.tool_arguments(call, raw)
        case Reasoning(raw=raw):
            return stream.reasoning(raw)
        case Refusal(raw=raw):
            return stream.refusal(raw)
        case ToolStart(id=ident, name=name):
            return stream.tool_start(ident, name)
        case Finished(reason=reason):
            return stream.finish(reason)
    return None


def _kept(token: str, wanted: ResponsesRequest, stream: ResponsesStream) -> KeptResponse:
    items = [
        {**item, "id": item["id"] if item.get("id") and isinstance(item["id"], str) else f"item_{token}{index:04x}"}
        for index, item in enumerate(wanted.items)
    ]
    ids = (*(item["id"] for item in items), *stream.item_ids)
    return KeptResponse(f"resp_{token}", wanted.previous, stream.body, encode(items), ids)


async def responses_show(ident: str) -> Response:
    """A response that is kept."""
    if request.args.get("stream", "").lower() == "true":
        raise UnsupportedParameter("cannot stream a response that is complete: leave stream out", param="stream")
    return Response(_own(ident).body, content_type="application/json")


async def responses_delete(ident: str) -> Response:
    """Forget a response."""
    if not g.gateway.responses.delete(g.client.owner, ident):
        raise _not_found()
    return jsonify({"id": ident, "object": "response", "deleted": True})


async def responses_cancel(ident: str) -> Response:
    """Refused: only what is made in the background could be cancelled by another request."""
    _own(ident)
    raise InvalidRequest("cannot cancel this response: it is complete; close the connection of one that is not")


async def responses_input_items(ident: str) -> Response:
    """A page of what a response was asked with."""
    page = page_of_items(_own(ident).input(), parse_items_page(request.args))
    return Response(page, content_type="application/json")


def _own(ident: str) -> KeptResponse:
    gateway: Gateway = g.gateway
    found = gateway.responses.get(g.client.owner, ident, trio.current_time())
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFound:
    return NotFound(
        "cannot find this response: responses are kept in memory, for a while, unless `store` is false",
        code="response_not_found",
    )
