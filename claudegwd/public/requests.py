"""The application of the public face: how a request gets its route and its id."""

import re
from collections.abc import Mapping
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
METHOD_CHARACTERS = 20  # the longest registered one has 17
_CLIENTS_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@overriding("__call__")
class Connection(TrioASGIHTTPConnection):
    """One request and its answer. Closes what the request registered even if its body never began to be sent."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        app: Application = self.app  # type: ignore[assignment]  # the only one that makes these
        app.config["MAX_CONTENT_LENGTH"] = app.gateway.config.server.max_body_bytes  # a reload may have changed it
        with ending():
            await super().__call__(receive, send)


@overriding("asgi_http_class", "request_class", "create_url_adapter")
class Application(QuartTrio):
    """Routes only by path. Werkzeug would first encode the Host as a DNS name, and raise for an invalid one before we
    could answer."""

    gateway: Gateway
    asgi_http_class = Connection
    request_class = Request
    # Paths that match a route literally, with only its own methods: `compact` is not a response's id.
    fixed_paths: Mapping[str, Map] = MappingProxyType({})

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Look up the request's route. A base URL with a trailing slash causes double slashes: they count as one."""
        if request is None:
            return None
        path = path_of(request)
        routes = self.fixed_paths.get(path.rstrip("/"), self.url_map)
        return routes.bind("localhost", None, None, request.scheme, request.method, path)


def path_of(request: BaseRequestWebsocket) -> str:
    """The path by which a request is routed."""
    return _SLASHES.sub("/", request.path)


def method_of(request: BaseRequestWebsocket) -> str:
    """The method for an error: a client's own could be as long as the request head."""
    return str(request.method)[:METHOD_CHARACTERS]


def request_id(headers: Headers) -> str:
    """The client's own id if it is harmless in logs and headers, otherwise a new one."""
    given = headers.get("x-request-id", "")
    return given if _CLIENTS_OWN_ID.fullmatch(given) else f"req_{token_hex(12)}"
