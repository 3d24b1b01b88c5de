"""/v1/responses: a request is asked as a chat, answered with this API's items and events, and kept for a while."""

import msgspec
import trio
from quart import Response, jsonify, request

from claudegwd.gateway.planning import plan_chat
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InvalidRequest, NotFound, UnsupportedParameter
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.responses.request import (
    ResponsesRequest,
    parse_responses_request,
    read_responses_request,
)
from claudegwd.openai_api.responses.response import lost_body, page_of_items, parse_items_page
from claudegwd.public import background
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.public.earlier import fetched, with_earlier
from claudegwd.public.images import with_fetched_images
from claudegwd.public.response_making import ResponseMaking
from claudegwd.store.responses import KeptResponse
from claudegwd.translate.request.estimate import prompt_tokens

_JSON = "application/json"


async def responses_create(call: Call) -> Response:
    """Answer one request, streaming or not."""
    body = await read_body(call)
    making = ResponseMaking(call, await _parsed(call, body))
    if making.wanted.background:
        return await background.begin(call, making)
    await making.ask(in_one_piece=not making.wanted.chat.stream)
    if making.wanted.chat.stream:
        with making.told():
            return await making.reply.stream(making.opened, making.headers)
    whole = await making.whole()
    return Response(whole, content_type=_JSON, headers=making.headers(making.reply.head))


async def responses_compact(call: Call) -> Response:
    """Compact a conversation to a summary."""
    wanted = await _parsed(call, await read_body(call))
    making = ResponseMaking(call, msgspec.structs.replace(wanted, compacts=True))
    await making.ask(in_one_piece=True)
    compaction = await making.compaction()
    return Response(compaction, content_type=_JSON, headers=making.headers(making.reply.head))


async def responses_input_tokens(call: Call) -> Response:
    """About how many tokens a request has: an estimate, as the header says, since no model is asked."""
    gateway = call.gateway
    body = await read_body(call)
    fields = read_object(body, BOUNDS)
    fields["model"] = fields.get("model") or gateway.config.claude.default_model
    wanted = await with_earlier(
        gateway,
        call.client.owner,
        len(body),
        lambda earlier: read_responses_request(Fields(fields), BOUNDS, earlier),
    )
    making = ResponseMaking(call, wanted)
    with making.told():
        tokens = prompt_tokens(plan_chat(gateway, await with_fetched_images(gateway, wanted.chat), call.client))
    counted = encode({"object": "response.input_tokens", "input_tokens": tokens})
    return Response(counted, content_type=_JSON, headers={"x-claudegw-estimated": "input_tokens"})


async def _parsed(call: Call, body: bytes) -> ResponsesRequest:
    gateway = call.gateway
    return await with_earlier(
        gateway, call.client.owner, len(body), lambda earlier: parse_responses_request(body, BOUNDS, earlier)
    )


async def responses_show(call: Call, ident: str) -> Response:
    """A response that is kept or running in the background; `stream`: its events, past and future."""
    gateway = call.gateway
    running = gateway.responses.running.get(call.client.owner, ident)
    if running is None:
        await _bring(call, ident)
    if request.args.get("stream", "").lower() == "true":
        if running is None:
            if _lost(call, ident) is None:
                _own(call, ident)
            raise UnsupportedParameter(
                "cannot stream this response: it did not run in the background, or ran before a restart; omit stream",
                param="stream",
            )
        return background.follow(running, background.starting_after())
    if running is not None and not running.ended:
        return Response(running.show(), content_type=_JSON)
    return Response(_lost(call, ident) or _own(call, ident).body, content_type=_JSON)


async def responses_delete(call: Call, ident: str) -> Response:
    """Delete a response; a running one is cancelled."""
    gateway = call.gateway
    running = gateway.responses.running.get(call.client.owner, ident)
    if running is not None and not running.ended:
        await background.cancel(running)
    gateway.responses.running.forget(call.client.owner, ident)
    lost = await gateway.responses.background.forget(call.client.owner, ident)
    kept = gateway.responses.kept.delete(call.client.owner, ident)
    if gateway.sharing is not None:
        kept = await gateway.sharing.delete_response(call.client.owner, ident) or kept
    if not kept and running is None and not lost:
        raise _not_found()
    return jsonify({"id": ident, "object": "response", "deleted": True})


async def responses_cancel(call: Call, ident: str) -> Response:
    """Cancel a background response; one that has ended stays as it is."""
    gateway = call.gateway
    running = gateway.responses.running.get(call.client.owner, ident)
    if running is None:
        await _bring(call, ident)
    if running is None and (lost := _lost(call, ident)) is not None:
        return Response(lost, content_type=_JSON)
    if running is None:
        kept = _own(call, ident)
        if kept.is_background:
            return Response(kept.body, content_type=_JSON)  # it has ended, and its events are gone
        raise InvalidRequest(
            "cannot cancel this response: it does not run in the background; close its connection instead"
        )
    if not running.ended:
        await background.cancel(running)
    return Response(running.show(), content_type=_JSON)


async def responses_input_items(call: Call, ident: str) -> Response:
    """A page of a response's input items."""
    await _bring(call, ident)
    page = page_of_items(_own(call, ident).input(), parse_items_page(request.args))
    return Response(page, content_type="application/json")


async def _bring(call: Call, ident: str) -> None:
    """Fetch it, if another machine keeps it."""
    gateway = call.gateway
    if gateway.responses.kept.get(call.client.owner, ident, trio.current_time()) is None:
        await fetched(gateway, call.client.owner, ident)


def _lost(call: Call, ident: str) -> bytes | None:
    """What is shown of a background response that was lost in a restart."""
    gateway = call.gateway
    if gateway.responses.kept.get(call.client.owner, ident, trio.current_time()) is not None:
        return None
    lost = gateway.responses.background.lost(call.client.owner, ident)
    return lost_body(ident, lost.created, lost.model) if lost is not None else None


def _own(call: Call, ident: str) -> KeptResponse:
    gateway = call.gateway
    found = gateway.responses.kept.get(call.client.owner, ident, trio.current_time())
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFound:
    return NotFound(
        "cannot find this response: responses are stored for a while, unless `store` is false, and lost at a "
        "restart unless the operator stores them on disk",
        code="response_not_found",
    )
