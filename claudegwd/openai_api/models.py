"""The bodies of GET /v1/models, /v1/models/{id} and /v1/models/capabilities.

Source: OpenAI's ``Model`` and ``ListModelsResponse``. Capabilities come from the older gateway; its clients still use
them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from claudegwd.openai_api.encode import encode


class Pricing(msgspec.Struct, frozen=True):
    """What a thousand tokens cost."""

    input_cost_per_1k_tokens: float | None = None
    output_cost_per_1k_tokens: float | None = None
    currency: str = "USD"


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model id. None if unknown: nothing is made up."""

    id: str
    created: int  # seconds since 1970
    owned_by: str
    display_name: str | None = None
    description: str | None = None
    max_tokens: int | None = None  # the longest answer
    effort_levels: tuple[str, ...] = ()  # possible values of reasoning_effort
    pricing: Pricing = Pricing()  # with its fields, which clients of the older gateway expect
    supports_images: bool = True

    def shape(self) -> dict[str, Any]:
        """OpenAI's `Model`."""
        return {"id": self.id, "object": "model", "created": self.created, "owned_by": self.owned_by}

    def features(self) -> list[str]:
        """What it can do, in the older gateway's words where they exist."""
        features = ["chat", "streaming", "tools", "json_schema"]
        if self.supports_images:
            features += ["vision", "files"]
        if self.effort_levels:
            features.append("reasoning")
        return features


def models_body(models: Sequence[ModelInfo]) -> bytes:
    """GET /v1/models."""
    return encode({"object": "list", "data": [model.shape() for model in models]})


def model_body(model: ModelInfo) -> bytes:
    """GET /v1/models/{id}."""
    return encode(model.shape())


def capabilities_body(models: Sequence[ModelInfo], *, provider: str, adapter: str) -> bytes:
    """GET /v1/models/capabilities. `provider` makes the models, `adapter` is what is in front of them (us)."""
    shown = [_capabilities(model) for model in models]
    return encode({"models": shown, "total": len(shown), "provider": provider, "adapter": adapter})


def _capabilities(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": model.display_name or model.id,
        "description": model.description or "",
        "max_tokens": model.max_tokens,
        "supports_streaming": True,
        "supports_tools": True,
        "pricing": model.pricing,
        "features": model.features(),
        "effort_levels": list(model.effort_levels),
    }
