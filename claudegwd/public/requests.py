"""The application of the public face: how a request gets its route and its id."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from secrets import token_hex
from types import MappingProxyType

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.wrappers import BaseRequestWebsocket
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.datastructures import Headers
from werkzeug.routing import Map, MapAdapter

from claudegwd.gateway.gateway import Gateway
from claudegwd.public.bodies import Request
from claudegwd.public.call import ending
from claudegwd.servers.overriding import overriding

_SLASHES = re.compile("/{2,}")
_CLIENTS_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LOGGED = (
    "request_id", "method", "route", "status", "code", "client", "model", "key", "how", "prompt_tokens",
    "completion_tokens", "address",
)  # fmt: skip
_at_end: ContextVar[ExitStack] = ContextVar("at_end")


@overriding("__call__")
class Connection(TrioASGIHTTPConnection):
    """One request and its answer. Closes what the request registered even if its body never began to be sent."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        with ending():
            await super().__call__(receive, send)


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


def request_id(headers: Headers) -> str:
    """The client's own id where it is harmless in a log and a header, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _CLIENTS_OWN_ID.fullmatch(given) else f"req_{token_hex(12)}"
