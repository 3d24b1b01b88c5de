"""Server-sent events as in OpenAI's streams: only data lines, one JSON object each, and a final marker."""

from claudegwd.openai_api.errors import GatewayError

CONTENT_TYPE = "text/event-stream; charset=utf-8"

# The last event of every chat and completion stream, also after an error.
DONE = b"data: [DONE]\n\n"

# A comment: every client skips it, and it keeps proxies from closing the connection.
KEEP_ALIVE = b": keep-alive\n\n"


def event(data: bytes) -> bytes:
    """One event. `data` is JSON, and so contains no line break."""
    return b"data: " + data + b"\n\n"


def error_event(error: GatewayError) -> bytes:
    """An error after the first token: the status has been sent, so it is an event. DONE follows, no finish."""
    return event(error.body())
