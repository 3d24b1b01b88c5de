"""GET /v1/models and /v1/models/{id} in Anthropic's format.

Source: Anthropic's ``ModelInfo`` and ``ListResponse``. Unknown values are null: nothing is invented.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.models import ModelInfo

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 1_000  # Anthropic's own limit


def models_body(models: Sequence[ModelInfo], query: Mapping[str, str]) -> bytes:
    """One page: `limit`, and `after_id` or `before_id`. Raises InvalidRequest."""
    limit = _limit(query.get("limit"))
    ids = [model.id for model in models]
    after, before = query.get("after_id"), query.get("before_id")
    first = _place(ids, after, "after_id") + 1 if after else 0
    last = _place(ids, before, "before_id") if before else len(ids)
    if before and not after:
        first = max(0, last - limit)
        more = first > 0
    else:
        more = last - first > limit
        last = min(last, first + limit)
    page = models[first:last]
    return encode(
        {
            "data": [_shape(model) for model in page],
            "has_more": more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


def model_body(model: ModelInfo) -> bytes:
    """One model."""
    return encode(_shape(model))


def _shape(model: ModelInfo) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name or model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "max_input_tokens": None,
        "max_tokens": model.max_tokens,
        "capabilities": None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
        raise InvalidRequest(f"cannot read limit: it must be between 1 and {MAX_PAGE}", param="limit")
    return int(text)


def _place(ids: Sequence[str], ident: str, name: str) -> int:
    if ident not in ids:
        raise InvalidRequest(f"cannot read {name}: it must be the id of a model in this list", param=name)
    return ids.index(ident)
