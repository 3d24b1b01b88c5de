"""GET /v1/models, /v1/models/{id} and /v1/models/capabilities."""

from quart import Response, g

from claudegwd.gateway import Gateway
from claudegwd.openai_api import models as bodies


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


async def list_models() -> Response:
    """The models that this client may use."""
    gateway: Gateway = g.gateway
    return _json(bodies.models_body(gateway.model_infos(g.client)))


async def capabilities() -> Response:
    """The older gateway's list: what each model can do and costs."""
    gateway: Gateway = g.gateway
    infos = gateway.model_infos(g.client)
    return _json(bodies.capabilities_body(infos, provider="anthropic", adapter="claudegwd"))


async def show_model(ident: str) -> Response:
    """One model; 404 model_not_found for an id that is not in the list."""
    gateway: Gateway = g.gateway
    return _json(bodies.model_body(gateway.model_info(ident, g.client)))
