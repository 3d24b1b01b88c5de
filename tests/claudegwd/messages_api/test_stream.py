"""The events of a stream, as they go out."""

from claudegwd.messages_api.stream import PING, MessageStream
from claudegwd.openai_api.errors import Overloaded
from claudegwd.openai_api.usage import Usage

STREAM = MessageStream("req_1")


def test_an_event_goes_out_byte_for_byte_under_its_name() -> None:
    raw = b'{"type":"content_block_stop",  "index":0}'
    assert STREAM.event("content_block_stop", raw) == b"event: content_block_stop\ndata: " + raw + b"\n\n"


def test_a_ping_follows_the_start() -> None:
    assert STREAM.event("message_start", b"{}").endswith(PING)
    assert not STREAM.event("message_delta", b"{}").endswith(PING)


def test_the_ends() -> None:
    assert STREAM.stop() == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert STREAM.usage(Usage()) == b""
    error = STREAM.error(Overloaded("cannot"))
    assert error.startswith(b"event: error\ndata: {")
    assert b"overloaded_error" in error
