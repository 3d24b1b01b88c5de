"""The control API as an ASGI application: HTTP to `ControlRequest`, `ControlResponse` to HTTP."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import ControlRefusal, error_body, refusal_of
from claudegwd.control.request import ControlRequest, ControlStream
from claudegwd.control.routes import ROUTES, ControlRoute
from claudegwd.logs import event, log

# About a thousand keys at once, as many as keys.json itself may hold.
MAX_BODY_BYTES: Final = 1_048_576
# The client is on this machine; it has abandoned a body that takes longer.
BODY_SECONDS: Final = 10

_CODES: Final = {404: "not_found", 405: "method_not_allowed", 408: "timeout", 413: "too_large"}
_TEXTS: Final = {
    404: "cannot find this route: GET /v1 lists the routes",
    405: "cannot use this method here: GET /v1 lists the routes",
    413: f"cannot accept a body of more than {MAX_BODY_BYTES} bytes",
}


def control_app(controls: Controls) -> QuartTrio:
    """The application for `serve_control`. Never serve it on a TCP port: it authenticates nobody."""
    app = QuartTrio("claudegwd.control", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, BODY_TIMEOUT=BODY_SECONDS)
    app.url_map.strict_slashes = False
    for route in ROUTES:
        app.add_url_rule(
            route.path,
            endpoint=f"{route.method} {route.path}",
            view_func=_view(controls, route),
            methods=[route.method],
            provide_automatic_options=False,
        )
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_error)
    return app


def _view(controls: Controls, route: ControlRoute) -> Callable[..., Awaitable[Response]]:
    async def view(**path: str) -> Response:
        body = cast(bytes, await request.get_data(cache=False))
        peer = request.scope.get("state", {}).get("peer")
        asked = ControlRequest(path, request.args.to_dict(), body, peer, controls.gateway.audit.note)
        answer = await route.handler(controls, asked)
        if isinstance(answer, ControlStream):
            response = Response(answer.source, content_type="application/x-ndjson")
            # Quart ends a response after a minute; followers of the log stay longer.
            response.timeout = None
            return response
        return _json(answer.body, answer.status)

    return view


def _json(body: Any, status: int) -> Response:
    return Response(msgspec.json.encode(body) + b"\n", status=status, content_type="application/json")


async def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    text = _TEXTS.get(status, "cannot read this request")
    response = _json(error_body(ControlRefusal(status, _CODES.get(status, "invalid_request"), text)), status)
    if isinstance(error, MethodNotAllowed):
        response.headers["allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


async def _of_error(error: Exception) -> Response:
    refused = refusal_of(error)
    if refused is None:
        # The boundary of a control request: logged once, and the next one is served.
        event(log, logging.ERROR, "a control request failed unexpectedly", cause=error, route=request.path)
        refused = ControlRefusal(
            500, "internal_error", "cannot do this: internal error in the daemon; see `claudegwctl logs`"
        )
    return _json(error_body(refused), refused.status)
