"""Models in Anthropic's shape, page by page."""

import json
from typing import Any

import pytest

from claudegwd.messages_api.models import model_body, models_body
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.models import ModelInfo

MODELS = [ModelInfo(id=name, created=1_700_000_000, owned_by="x", display_name=name.upper()) for name in "abcde"]


def page(**query: str) -> Any:
    return json.loads(models_body(MODELS, query))


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ({}, "abcde", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "2", "after_id": "b"}, "cd", True),
        ({"limit": "2", "after_id": "c"}, "de", False),
        ({"after_id": "e"}, "", False),
        ({"limit": "2", "before_id": "d"}, "bc", True),
        ({"limit": "2", "before_id": "c"}, "ab", False),
        ({"after_id": "a", "before_id": "d"}, "bc", False),
    ],
)
def test_pages(query: dict[str, str], ids: str, more: bool) -> None:
    found = page(**query)
    assert "".join(model["id"] for model in found["data"]) == ids
    assert found["has_more"] is more
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after_id": "z"}])
def test_what_is_no_page(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        page(**query)
    assert raised.value.param == next(iter(query))


def test_one_model() -> None:
    model = json.loads(model_body(MODELS[0]))
    assert (model["type"], model["id"], model["display_name"]) == ("model", "a", "A")
    assert model["created_at"] == "2023-11-14T22:13:20Z"
