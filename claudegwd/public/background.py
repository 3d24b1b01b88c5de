"""Background responses: created whether or not anyone waits; read, followed or cancelled by their id."""

import logging

import trio
from quart import Response, request

from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import InvalidRequest, UnsupportedParameter
from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.responses.response import CANCELLED
from claudegwd.public.call import Call
from claudegwd.public.reply import STREAM_HEADERS
from claudegwd.public.response_making import ResponseMaking
from claudegwd.store.running_responses import RunningResponse
from claudegwd.workers.worker.hearing import HEARTBEAT_SECONDS

CANCEL_SECONDS = 5.0  # giving the process back takes a few milliseconds
MAX_NUMBER_DIGITS = 9  # of starting_after: more events than are kept of any response


async def begin(call: Call, making: ResponseMaking) -> Response:
    """Ask, and return what there is: nothing yet, or the events as they come."""
    running_ones, owner = call.gateway.responses.running, call.client.owner
    running_ones.check_room(owner)
    await making.ask()
    reply = making.reply
    queued = making.queued()

    def cancel() -> None:
        reply.stop(InvalidRequest("cannot continue: the response was cancelled", code=CANCELLED))

    running = RunningResponse(lambda: queued, cancel)
    running_ones.begin(owner, making.ident, running)  # checks for room again: others may have arrived meanwhile
    try:
        await call.gateway.responses.background.begin(owner, making.ident, making.created, reply.head.plan.model.id)
    except BaseException:
        running_ones.end(owner, making.ident)
        raise
    moved = call.ending.pop_all()  # what would end with the request now ends with the response

    async def run() -> None:
        try:
            with moved:
                await _make(making, running)
        except Exception as error:  # noqa: BLE001 - the boundary of a background response: the others continue
            log_event(
                log, logging.ERROR, "a background response failed unexpectedly", cause=error,
                request_id=call.record.request_id,
            )  # fmt: skip
        finally:
            running_ones.end(owner, making.ident)

    reply.questions[0].spawn(run)
    headers = making.headers(reply.questions[0])
    if making.wanted.chat.stream:
        return follow(running, -1, headers)
    return Response(queued, content_type="application/json", headers=headers)


async def _make(making: ResponseMaking, running: RunningResponse) -> None:
    """Make the response, to its last event. If a fallback may answer, it is queued until the model is known."""
    failure: Exception | None = None
    if making.reply.head.plan.fallback is not None:
        try:
            with making.told():
                await making.reply.begun()
        except Exception as error:  # noqa: BLE001 - told in the last event, as whatever happens after the first one
            failure = error
    stream, opening, write = making.opened(making.reply.model)
    running.show = stream.so_far
    async for written in making.reply.events(stream, opening, write, failure):
        running.add(written)
    making.keep(stream)


async def cancel(running: RunningResponse) -> None:
    """Cancel it, and wait until it has ended."""
    running.cancel()
    with trio.move_on_after(CANCEL_SECONDS):
        await running.until_ended()


def follow(running: RunningResponse, after: int, headers: dict[str, str] | None = None) -> Response:
    """The response's events after number `after`, and then as they come."""
    if not running.is_whole:
        raise UnsupportedParameter(
            "cannot stream this response: its events are no longer stored; omit stream", param="stream"
        )
    response = Response(running.follow(after, HEARTBEAT_SECONDS), headers={**STREAM_HEADERS, **(headers or {})})
    response.timeout = None  # Quart's default would cut the stream after 60 s
    return response


def starting_after() -> int:
    """The number of the last event that the client has; -1 if none. Raises InvalidRequest."""
    given = request.args.get("starting_after", "")
    if not given:
        return -1
    if not (given.isascii() and given.isdigit() and len(given) <= MAX_NUMBER_DIGITS):
        refuse("starting_after", "it must be the sequence_number of an event")
    return int(given)
