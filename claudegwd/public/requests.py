"""What every public request has: an id, a clock, and things to close when it ends, however it ends."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from secrets import token_hex

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import request
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.datastructures import Headers

_CLIENTS_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_at_end: ContextVar[ExitStack] = ContextVar("at_end")


class Connection(TrioASGIHTTPConnection):
    """One request and its answer. Closes what the request registered even if its body never began to be sent."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        with ExitStack() as stack:
            _at_end.set(stack)
            await super().__call__(receive, send)


def at_end(close: Callable[[], object]) -> None:
    """Call `close` when this request is over: answered, refused, or its client gone. It must not wait."""
    _at_end.get().callback(close)


def during(holding: AbstractContextManager[object]) -> None:
    """Hold a context until this request is over."""
    _at_end.get().enter_context(holding)


def request_id(headers: Headers) -> str:
    """The client's own id where it is harmless in a log and a header, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _CLIENTS_OWN_ID.fullmatch(given) else f"req_{token_hex(12)}"


async def read_body() -> bytes:
    """The whole body, within the bounds of size and time that the application has set."""
    data = await request.get_data(cache=False)
    return data if isinstance(data, bytes) else data.encode()


def milliseconds_since(start: float) -> int:
    """For `openai-processing-ms`."""
    return int((trio.current_time() - start) * 1000)
