"""The stream of the Messages API: the upstream's own events, by name, and what the CLI does not pass on."""

from claudegwd.messages_api.errors import error_body
from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.usage import Usage

# The CLI does not pass on the upstream's pings, so these are ours: after the start of a message, like Anthropic's, and
# in each silence.
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class MessageStream:
    """Writes the events of one answer."""

    include_usage = False  # it is in the events
    done = b""
    silence = PING

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def event(self, name: str, raw: bytes) -> bytes:
        """One of the upstream's events, byte for byte."""
        written = b"event: " + name.encode("ascii", "replace") + b"\ndata: " + raw + b"\n\n"
        return written + PING if name == "message_start" else written

    def stop(self) -> bytes:
        """The answer is complete."""
        return STOP

    def usage(self, _: Usage, /) -> bytes:
        """Nothing more: the upstream's events contain it."""
        return b""

    def error(self, error: GatewayError) -> bytes:
        """The last event of an answer that breaks off."""
        return b"event: error\ndata: " + error_body(error, self._request_id) + b"\n\n"
