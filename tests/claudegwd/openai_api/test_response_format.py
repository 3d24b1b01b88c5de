"""The shape asked for."""

from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.response_format import JsonObject, JsonSchema, ResponseFormat, read_response_format

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}}


def read(value: Any) -> ResponseFormat | None:
    return read_response_format(Fields({"response_format": value}), Bounds())


def schema(**fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "Answer", **fields}}


def test_text_is_nothing_special() -> None:
    assert read(None) is None
    assert read({"type": "text"}) is None


def test_objects_and_schemas() -> None:
    assert read({"type": "json_object"}) == read({"type": "json_object", "schema": None}) == JsonObject()
    held = read({"type": "json_object", "schema": SCHEMA})
    assert held == JsonSchema("json_object", SCHEMA, strict=True, param="response_format.schema")
    assert read(schema(schema=SCHEMA, strict=True, description="d")) == JsonSchema("Answer", SCHEMA, True, "d")
    for strict in ({}, {"strict": None}, {"strict": False}):
        assert read(schema(schema=SCHEMA, **strict)) == JsonSchema("Answer", SCHEMA)
    assert read(schema()) == JsonSchema("Answer", {"type": "object"})


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("json_object", ""),
        ({}, ".type"),
        ({"type": "xml"}, ".type"),
        ({"type": "json_object", "schema": 7}, ".schema"),
        ({"type": "json_object", "schema": {"type": "thing"}}, ".schema.type"),
        ({"type": "json_schema"}, ".json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, ".json_schema.name"),
        (schema(name="a b"), ".json_schema.name"),
        (schema(schema=[]), ".json_schema.schema"),
        (schema(schema={"type": "thing"}), ".json_schema.schema.type"),
        (schema(strict="yes"), ".json_schema.strict"),
        (schema(description=1), ".json_schema.description"),
    ],
)
def test_faults_are_named(value: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(value)
    assert caught.value.param == f"response_format{param}"
