"""What every public request has: an id, a clock, and things to close when it ends, however it ends."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from secrets import token_hex
from types import MappingProxyType

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import g
from quart.wrappers import BaseRequestWebsocket
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.datastructures import Headers
from werkzeug.routing import Map, MapAdapter

from claudegwd.gateway.gateway import Gateway
from claudegwd.ledger.entry import CLIENT_GONE, FAILED, Line, Sums, minute_of
from claudegwd.limits.clients import Client
from claudegwd.limits.meter import Admission
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.public.bodies import Request
from claudegwd.servers.overriding import overriding

_SLASHES = re.compile("/{2,}")
_CLIENTS_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LOGGED = (
    "request_id", "method", "route", "status", "code", "client", "model", "key", "how", "prompt_tokens",
    "completion_tokens", "address",
)  # fmt: skip
_at_end: ContextVar[ExitStack] = ContextVar("at_end")


@dataclass(slots=True)
class Record:
    """What is known of a request when it ends, for its one line in the log. Nothing of its content."""

    request_id: str
    method: str
    route: str
    started: float
    client: str = ""
    status: int = 0  # 0: the client went away before there was one
    code: str | None = None
    model: str | None = None
    key: str | None = None
    how: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    asks: bool = False  # it is to ask a model, and its client is known
    booked: bool = False  # its answer writes the ledger's entry
    address: str | None = None  # of the client, as far as it can be known

    def write(self) -> None:
        """Log it: work at info, looks at health and the like at debug."""
        fields = {name: value for name in _LOGGED if (value := getattr(self, name)) is not None}
        level = logging.INFO if self.method != "GET" else logging.DEBUG
        log_event(log, level, "request", milliseconds=milliseconds_since(self.started), **fields)


@dataclass(frozen=True, slots=True)
class Call:
    """What was let in and is to be answered. `ending` closes it; `read_at` is when its body was there."""

    gateway: Gateway
    client: Client
    admission: Admission
    record: Record
    read_at: float
    ending: ExitStack


def this_call() -> Call:
    """That of the request in whose handler we are."""
    return Call(g.gateway, g.client, g.admission, g.record, g.body_at, _at_end.get())


@overriding("__call__")
class Connection(TrioASGIHTTPConnection):
    """One request and its answer. Closes what the request registered even if its body never began to be sent."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        with ExitStack() as stack:
            _at_end.set(stack)
            await super().__call__(receive, send)


@contextmanager
def ending() -> Iterator[ExitStack]:
    """What is registered by `at_end` inside is closed at its end; for what comes in otherwise than as a request."""
    with ExitStack() as stack:
        _at_end.set(stack)
        yield stack


def over(gateway: Gateway, record: Record) -> None:
    """Write down that a request has ended."""
    record.write()
    if record.asks and not record.booked and not 0 < record.status < FAILED:
        _book_refusal(gateway, record)
    gateway.metrics.responded(record.method, record.route, record.status)


def _book_refusal(gateway: Gateway, record: Record) -> None:
    """It was refused, or its client left, before a model was asked. Only a name that we know is written down."""
    line = Line(
        minute_of(gateway.ledger.clock()), record.client, "", record.model or "", "", record.route, "",
        record.status or CLIENT_GONE,
    )  # fmt: skip
    gateway.ledger.note(line, Sums(requests=1, all_ms=milliseconds_since(record.started)))


@overriding("asgi_http_class", "request_class", "create_url_adapter")
class Application(QuartTrio):
    """Routes by the path alone. Werkzeug would encode the Host as a name of DNS first, and of one that cannot be a name
    it makes an error before anybody could answer."""

    gateway: Gateway
    asgi_http_class = Connection
    request_class = Request
    # Paths that are a route as they stand, with that one's methods alone: `compact` is no id of a response.
    fixed_paths: Mapping[str, Map] = MappingProxyType({})

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Look the request's route up. A base URL that ends in a slash makes two of one: they count as one."""
        if request is None:
            return None
        path = path_of(request)
        routes = self.fixed_paths.get(path.rstrip("/"), self.url_map)
        return routes.bind("localhost", None, None, request.scheme, request.method, path)


def path_of(request: BaseRequestWebsocket) -> str:
    """The path by which a request is routed."""
    return _SLASHES.sub("/", request.path)


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


def milliseconds_since(start: float) -> int:
    """For `openai-processing-ms`."""
    return int((trio.current_time() - start) * 1000)
