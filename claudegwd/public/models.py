"""GET /v1/models, /v1/models/{id} and /v1/models/capabilities: the first two in the format of the client's protocol."""

from quart import Response, request

from claudegwd.messages_api import models as anthropic
from claudegwd.openai_api import models as bodies
from claudegwd.public.call import Call
from claudegwd.public.protocol import is_anthropic


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


async def list_models(call: Call) -> Response:
    """The models that this client may use."""
    gateway = call.gateway
    infos = gateway.offered.infos(call.client)
    return _json(anthropic.models_body(infos, request.args) if is_anthropic() else bodies.models_body(infos))


async def capabilities(call: Call) -> Response:
    """The older gateway's list: what each model can do and costs."""
    gateway = call.gateway
    infos = gateway.offered.infos(call.client)
    return _json(bodies.capabilities_body(infos, provider="anthropic", adapter="claudegwd"))


async def show_model(call: Call, ident: str) -> Response:
    """One model; 404 model_not_found for an id that is not in the list."""
    gateway = call.gateway
    info = gateway.offered.info(ident, call.client)
    return _json(anthropic.model_body(info) if is_anthropic() else bodies.model_body(info))
