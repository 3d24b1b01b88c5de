"""The lists of models, as OpenAI's client and the older gateway's clients read them."""

import json

from openai.pagination import SyncPage
from openai.types import Model

from claudegwd.openai_api.models import ModelInfo, Pricing, capabilities_body, model_body, models_body
from tests.openai_client import described

SONNET = ModelInfo(
    id="sonnet",
    created=1_750_000_000,
    owned_by="anthropic",
    display_name="Sonnet",
    description="Everyday work",
    max_tokens=64_000,
    effort_levels=("low", "high"),
    pricing=Pricing(0.003, 0.015),
)
OTHER = ModelInfo(id="vendor/other", created=0, owned_by="x", supports_images=False)


def test_the_official_client_reads_the_list() -> None:
    page = SyncPage[Model].model_validate_json(models_body([SONNET, OTHER]))
    assert [(model.id, model.created, model.owned_by, model.object) for model in page.data] == [
        ("sonnet", 1_750_000_000, "anthropic", "model"),
        ("vendor/other", 0, "x", "model"),
    ]
    assert json.loads(models_body([])) == {"object": "list", "data": []}


def test_the_official_client_reads_one() -> None:
    assert Model.model_validate_json(model_body(OTHER), strict=True).id == "vendor/other"


def test_the_description_is_satisfied() -> None:
    described("ListModelsResponse", models_body([SONNET, OTHER]))
    described("Model", model_body(SONNET))


def test_capabilities_have_the_older_gateways_fields() -> None:
    body = json.loads(capabilities_body([SONNET, OTHER], provider="anthropic", adapter="claudegwd"))
    assert (body["total"], body["provider"], body["adapter"]) == (2, "anthropic", "claudegwd")
    sonnet, other = body["models"]
    assert sonnet == {
        "id": "sonnet",
        "name": "Sonnet",
        "description": "Everyday work",
        "max_tokens": 64_000,
        "supports_streaming": True,
        "supports_tools": True,
        "pricing": {"input_cost_per_1k_tokens": 0.003, "output_cost_per_1k_tokens": 0.015, "currency": "USD"},
        "features": ["chat", "streaming", "tools", "json_schema", "vision", "files", "reasoning"],
        "effort_levels": ["low", "high"],
    }
    assert other["name"] == "vendor/other"
    unknown = {"input_cost_per_1k_tokens": None, "output_cost_per_1k_tokens": None, "currency": "USD"}
    assert other["pricing"] == unknown
    assert "vision" not in other["features"]
