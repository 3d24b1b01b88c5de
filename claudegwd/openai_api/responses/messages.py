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

# Fields of the message, not of the request in it.
ENVELOPE = ("type", "stream_id", "stream", "background", "generate")


class ClientMessage(msgspec.Struct, frozen=True):
    """A message that was decoded; what it asks for is still to be read. `size` is its own in bytes."""

    fields: Fields
    stream_id: str | None
    size: int


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


def read_create(message: ClientMessage, bounds: Bounds) -> Create:
    """Read the request in it; raises likewise."""
    fields = message.fields
    kind = fields.needed_text("type", longest=bounds.max_id_chars)
    if kind == "response.steer":
        cannot_honour("type", "a running answer cannot be steered; wait for it to finish and send response.create")
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
