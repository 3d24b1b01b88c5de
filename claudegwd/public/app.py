"""The public face: its routes, and what applies to every response."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import trio
from quart import Response, request
from quart.routing import QuartRule
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HttpMethodNotAllowed
from werkzeug.exceptions import NotFound as HttpNotFound
from werkzeug.routing import Map, Rule

from claudegwd.gateway.gateway import Gateway
from claudegwd.gateway.metrics import known_method
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.messages_api.errors import error_body, status_of
from claudegwd.openai_api.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
)
from claudegwd.public import (
    access,
    chat,
    completions,
    health,
    messages,
    metrics,
    models,
    openapi,
    responses,
    responses_socket,
    usage,
)
from claudegwd.public.bodies import body_is_read
from claudegwd.public.call import Call, Record, at_end, begin_call, milliseconds_since, over, this_call
from claudegwd.public.missing import not_found
from claudegwd.public.older_gateway import chat as older_chat
from claudegwd.public.older_gateway import projects, sessions
from claudegwd.public.protocol import is_anthropic
from claudegwd.public.requests import Application, method_of, request_id

Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """`open`: answered without a client key; routes are closed unless declared open here. `asks`: asks a model."""

    method: str
    path: str
    handler: Handler
    open: bool = False
    asks: bool = False


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", health.index, open=True),
    Route("GET", "/health", health.health, open=True),
    Route("GET", "/livez", health.livez, open=True),
    Route("GET", "/readyz", health.readyz, open=True),
    Route("GET", "/openapi.json", openapi.openapi, open=True),
    Route("GET", "/metrics", metrics.metrics),
    Route("POST", "/v1/chat/completions", chat.chat_completions, asks=True),
    Route("POST", "/v1/completions", completions.completions, asks=True),
    Route("POST", "/v1/responses", responses.responses_create, asks=True),
    Route("POST", "/v1/responses/compact", responses.responses_compact, asks=True),
    Route("POST", "/v1/responses/input_tokens", responses.responses_input_tokens),
    Route("GET", "/v1/responses/<ident>", responses.responses_show),
    Route("DELETE", "/v1/responses/<ident>", responses.responses_delete),
    Route("POST", "/v1/responses/<ident>/cancel", responses.responses_cancel),
    Route("GET", "/v1/responses/<ident>/input_items", responses.responses_input_items),
    Route("POST", "/v1/messages", messages.messages_create, asks=True),
    Route("POST", "/v1/messages/count_tokens", messages.messages_count),
    Route("GET", "/v1/models", models.list_models),
    Route("GET", "/v1/models/capabilities", models.capabilities),
    Route("GET", "/v1/models/<path:ident>", models.show_model),
    Route("GET", "/v1/usage", usage.usage),
    # What the older gateway had in addition to OpenAI's API.
    Route("POST", "/v1/chat/completions/debug", older_chat.chat_debug),
    Route("GET", "/v1/chat/completions/<ident>/status", sessions.session_status),
    Route("DELETE", "/v1/chat/completions/<ident>", sessions.session_stop),
    Route("GET", "/v1/projects", projects.projects_list),
    Route("POST", "/v1/projects", projects.projects_create),
    Route("GET", "/v1/projects/<ident>", projects.projects_show),
    Route("DELETE", "/v1/projects/<ident>", projects.projects_delete),
    Route("GET", "/v1/sessions", sessions.sessions_list),
    Route("POST", "/v1/sessions", sessions.sessions_create),
    Route("GET", "/v1/sessions/stats", sessions.sessions_statistics),
    Route("GET", "/v1/sessions/<ident>", sessions.sessions_show),
    Route("DELETE", "/v1/sessions/<ident>", sessions.sessions_delete),
)

_OPEN = frozenset(route.handler.__name__ for route in ROUTES if route.open)
_ASKING = frozenset(route.handler.__name__ for route in ROUTES if route.asks)

# What a browser may send after a preflight, which is answered before authentication, since it cannot carry a key.
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, DELETE",
    # "*" means any except authorization: the official SDK sends a dozen x-stainless-….
    "access-control-allow-headers": "authorization, content-type, x-api-key, x-request-id, *",
    "access-control-max-age": "600",
}


def public_app(gateway: Gateway) -> QuartTrio:
    """The application, for Hypercorn."""
    app = new_app(gateway, ROUTES, _begin)
    app.asgi_websocket_class = responses_socket.ResponsesSocket  # type: ignore[assignment]  # Quart's own is not used
    app.config[openapi.ROUTES_KEY] = tuple((route.method, route.path, route.open) for route in ROUTES)
    return app


def new_app(
    gateway: Gateway, routes: Sequence[Route], begin_request: Callable[[Gateway], Awaitable[Response | None]]
) -> Application:
    """An application with these routes. `begin_request` admits a request, or answers it."""
    app = Application("claudegwd.public", static_folder=None)
    app.gateway = gateway
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect, bypassing our own answers
    for route in routes:
        app.add_url_rule(
            route.path, endpoint=route.handler.__name__, view_func=_view(route.handler), methods=[route.method]
        )
    app.fixed_paths = _fixed_paths(routes)

    @app.before_request
    async def let_in() -> Response | None:
        return await begin_request(gateway)

    @app.after_request
    async def finish(response: Response) -> Response:
        return _finish(response)

    app.register_error_handler(GatewayError, _answer_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unforeseen)
    return app


def _fixed_paths(routes: Sequence[Route]) -> dict[str, Map]:
    """The routes of each path without an id."""
    rules: dict[str, list[Rule]] = {}
    for route in routes:
        if "<" not in route.path:
            rule = QuartRule(route.path, endpoint=route.handler.__name__, methods=[route.method, "OPTIONS"])
            rules.setdefault(route.path.rstrip("/"), []).append(rule)
    return {path: Map(own, strict_slashes=False, merge_slashes=False) for path, own in rules.items()}


async def _begin(gateway: Gateway) -> Response | None:
    """Access checks, in order: host, origin, preflight, key, limits. If this returns a response, that is the answer."""
    call = begin(gateway)
    call.record.address = access.address_of(gateway, request.scope, request.headers)
    access.check_host(gateway, request.headers.get("host", ""))
    origin = request.headers.get("origin")
    access.check_origin(gateway, origin)
    if request.method == "OPTIONS":
        # With a body, though empty: under Trio, Quart 0.22 breaks off responses without one.
        return Response("", status=204, headers=_PREFLIGHT)
    if request.endpoint in _OPEN:
        return None
    call.client = access.authenticate(gateway, request.headers)
    call.record.client = call.client.name
    call.record.asks = request.endpoint in _ASKING
    if request.method == "POST" and request.endpoint is not None:
        call.limited = True
        access.check_body_type(request.headers)
        call.admitted = await access.admit(gateway, call.client, asks=call.record.asks)
    return None


def begin(gateway: Gateway) -> Call:
    """Set up what every incoming request has."""
    route = request.url_rule.rule if request.url_rule else "unknown"
    method = known_method(request.method)
    call = begin_call(gateway, Record(request_id(request.headers), method, route, trio.current_time()))
    at_end(partial(over, gateway, call.record))
    at_end(gateway.counts.begin())
    return call


def _view(handler: Handler) -> Handler:
    """The handler, with the call as its first argument."""

    @wraps(handler)
    async def view(**path: str) -> Any:
        return await handler(this_call(), **path)

    return view


def _finish(response: Response) -> Response:
    call = this_call()
    gateway, headers = call.gateway, response.headers
    headers["x-request-id"] = call.record.request_id
    if is_anthropic():
        headers["request-id"] = call.record.request_id
    else:
        headers["openai-processing-ms"] = str(milliseconds_since(call.record.started))
    call.record.status = response.status_code
    if call.limited:
        headers.update(access.limit_headers(gateway, call.client, anthropic=is_anthropic()))
    origin = request.headers.get("origin")
    if origin in gateway.config.server.cors_origins:
        headers["access-control-allow-origin"] = origin
        headers["access-control-expose-headers"] = "*"
        headers["vary"] = "origin"
    return response


async def _answer_error(error: GatewayError) -> Response:
    call = this_call()
    call.gateway.counts.refused(error)
    call.record.code = error.code
    if call.grant is not None:
        call.grant.error = error
    response = Response(error.body(), status=error.status, content_type="application/json", headers=error.headers())
    if is_anthropic():
        response.set_data(error_body(error, call.record.request_id))
        response.status_code = status_of(error)
    if not await body_is_read():
        response.headers["connection"] = "close"
    return response


async def _answer_http_error(error: HTTPException) -> Response:
    return await _answer_error(_in_our_terms(error))


async def _answer_unforeseen(error: Exception) -> Response:
    # The boundary of a request: it ends here, is logged once, and the next one is served.
    log_event(
        log, logging.ERROR, "a request failed unexpectedly", cause=error, request_id=this_call().record.request_id
    )
    return await _answer_error(
        InternalError("cannot answer: internal error; search the gateway's log for the request id")
    )


def _in_our_terms(error: HTTPException) -> GatewayError:
    match error:
        case HttpNotFound():
            return not_found()
        case HttpMethodNotAllowed(valid_methods=methods):
            return MethodNotAllowed(
                f"cannot {method_of(request)} here: GET /openapi.json lists the methods",
                headers={"allow": ", ".join(sorted(methods or ()))},
            )
    return InvalidRequest("cannot read this request") if (error.code or 500) < 500 else InternalError("cannot answer")
