"""The messages of a Responses WebSocket: what a client may send, and the events that are sent to it.

Source: OpenAI's ``ResponsesClientEvent`` and ``ResponsesServerEvent``, and what the official SDK and Codex send.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import GatewayError, InvalidRequest
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.json_schema import check_depth

STEER = "response.steer"
# Fields of the message, not of the request in it.
ENVELOPE = ("type", "stream_id", "stream", "background", "generate")


class ClientMessage(msgspec.Struct, frozen=True):
    """A message that was decoded; what it asks for is still to be read. `size` is its own in bytes."""

    fields: Fields
    stream_id: str | None
    size: int


class Steer(msgspec.Struct, frozen=True):
    """Input for a response that is running; as it came, since it goes back to its client."""

    target: str
    input: Any


class Create(msgspec.Struct, frozen=True):
    """A request. `generate` false: only something to continue from; `size` is that of the message in bytes."""

    fields: dict[str, Any]
    stream_id: str | None
    generate: bool
    size: int


def read_message(text: str | None, bounds: Bounds) -> ClientMessage:
    """Decode one message; raises a CallerError with the path of the field at fault."""
    if text is None:
        raise InvalidRequest("cannot read a binary message: send JSON as text")
    body = text.encode("utf-8", "surrogatepass")
    fields = Fields(read_object(body, bounds))
    return ClientMessage(fields, fields.text("stream_id", longest=bounds.max_id_chars), len(body))


def read_steer(message: ClientMessage, bounds: Bounds) -> Steer | None:
    """Read a message that steers a running response; None for any other. Raises likewise."""
    fields = message.fields
    if fields.get("type") != STEER:
        return None
    target = fields.needed_text("previous_response_id", longest=bounds.max_id_chars)
    given = fields.get("input")
    if not isinstance(given, str | list):
        refuse("input", "it must be a string or a list of items")
    if isinstance(given, list):
        check_depth(given, "input", bounds)  # it must not be too deep to write
    return Steer(target, given)


def read_create(message: ClientMessage, bounds: Bounds) -> Create:
    """Read the request in it; raises likewise."""
    fields = message.fields
    kind = fields.needed_text("type", longest=bounds.max_id_chars)
    if kind != "response.create":
        refuse("type", "it must be response.create")
    if fields.flag("background"):
        cannot_honour("background", "a WebSocket waits for the answer; omit it, or send the request by POST")
    fields.flag("stream")
    wanted = {name: value for name, value in fields.values.items() if name not in ENVELOPE}
    return Create({**wanted, "stream": True}, message.stream_id, fields.flag("generate") is not False, message.size)


def event_messages(written: bytes, stream_id: str | None, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The server-sent events as messages, without comments. `headers`: those that an answer over HTTP would have, for
    the first message."""
    for piece in written.split(b"\n\n"):
        data = piece.partition(b"\ndata: ")[2]
        if data:
            more: dict[str, Any] = {"headers": headers} if headers else {}
            more |= {"stream_id": stream_id} if stream_id is not None else {}
            yield b"%b,%b" % (data[:-1], encode(more)[1:]) if more else data
            headers = None


def steer_failed_message(steer: Steer, stream_id: str | None) -> bytes:
    """Steering is not supported. Clients take the input back from this, to send it in their next request: an `error`
    would seem to be about the response, which continues."""
    told: dict[str, Any] = {
        "type": f"{STEER}.failed",
        "sequence_number": 0,  # it belongs to no response's events
        "steer": {"previous_response_id": steer.target, "input": steer.input},
        "error": {
            "type": "invalid_request_error",
            "code": "steering_not_supported",
            "message": "cannot steer a running response: wait for it to finish, and send its input in response.create",
        },
    }
    return encode(told if stream_id is None else {**told, "stream_id": stream_id})


def error_message(error: GatewayError, stream_id: str | None, headers: Mapping[str, str] | None = None) -> bytes:
    """A rejected request. `headers`: those that an answer over HTTP would have, besides those of the error."""
    told: dict[str, Any] = {
        "type": "error",
        "status": error.status,
        "error": {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "headers": {**(headers or {}), **error.headers()},
        },
    }
    return encode(told if stream_id is None else {**told, "stream_id": stream_id})
