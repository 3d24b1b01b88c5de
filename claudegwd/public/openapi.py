"""GET /openapi.json: what this gateway serves, generated from its own route table."""

from functools import cache

from quart import Response, current_app

from claudegwd.openai_api.bounds import BOUNDS, Bounds
from claudegwd.openai_api.description.document import describe
from claudegwd.openai_api.encode import encode
from claudegwd.public.call import Call

# Where public_app stores its routes, each as (method, path, open).
ROUTES_KEY = "PUBLIC_ROUTES"


async def openapi(call: Call) -> Response:
    """The description; it contains nothing that is not in the source."""
    gateway = call.gateway
    routes: tuple[tuple[str, str, bool], ...] = current_app.config[ROUTES_KEY]
    return Response(_described(gateway.life.version, routes, BOUNDS), content_type="application/json")


@cache
def _described(version: str, routes: tuple[tuple[str, str, bool], ...], bounds: Bounds) -> bytes:
    return encode(describe(version, routes, bounds))
