"""Schemas: sound ones pass untouched, a broken one is named by the keyword at fault."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.json_schema import check_schema

SOUND: list[dict[str, Any]] = [
    {},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": False},
    {"type": ["string", "null"], "enum": ["a", None], "title": "T", "default": {"type": 3}},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
    {"definitions": {"a": True}, "properties": {"type": {"type": "string"}, "not": {"const": 3}}},
    {"anyOf": [{"type": "null"}, True], "not": {}, "if": {}, "then": {}, "else": False},
    {"description": None, "title": None, "format": None},
    {"items": [{"type": "string"}], "prefixItems": [{"type": "string"}], "x-unknown": {"type": "strin"}},
    {
        "nullable": True,
        "format": "uri",
        "minimum": 0,
        "patternProperties": {"^a": {}},
        "propertyNames": {"type": "string"},
    },
]


@pytest.mark.parametrize("schema", SOUND, ids=range(len(SOUND)))
def test_sound_schemas_pass_untouched(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    check_schema(schema, "schema", Bounds())
    assert schema == before


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strin"}, "schema.type"),
        ({"type": []}, "schema.type"),
        ({"type": ["string", 3]}, "schema.type"),
        ({"type": None}, "schema.type"),
        ({"properties": []}, "schema.properties"),
        ({"properties": None}, "schema.properties"),
        ({"properties": {"a": "string"}}, "schema.properties.a"),
        ({"properties": {"a b": "string"}}, "schema.properties.*"),
        ({"properties": {"a": {"items": {"type": "x"}}}}, "schema.properties.a.items.type"),
        ({"required": True}, "schema.required"),
        ({"required": None}, "schema.required"),
        ({"required": [1]}, "schema.required"),
        ({"enum": "a"}, "schema.enum"),
        ({"$ref": 1}, "schema.$ref"),
        ({"title": 5}, "schema.title"),
        ({"properties": {"a": {"description": ["a"]}}}, "schema.properties.a.description"),
        ({"format": ["date"]}, "schema.format"),
        ({"$defs": {"a": []}}, "schema.$defs.a"),
        ({"anyOf": []}, "schema.anyOf"),
        ({"anyOf": {}}, "schema.anyOf"),
        ({"oneOf": [{"type": "string"}, 1]}, "schema.oneOf[1]"),
        ({"items": "string"}, "schema.items"),
        ({"items": [{}, 1]}, "schema.items[1]"),
        ({"additionalProperties": "no"}, "schema.additionalProperties"),
        ({"not": None}, "schema.not"),
    ],
)
def test_faults_are_named(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_schema(schema, "schema", Bounds())
    assert caught.value.param == path


def nested(depth: int, keyword: str = "items") -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth - 1):
        schema = {keyword: schema}
    return schema


def test_depth_is_bounded_wherever_it_is() -> None:
    bounds = Bounds(max_depth=20)
    check_schema(nested(20), "schema", bounds)
    for keyword in ("items", "default", "x-unknown"):
        with pytest.raises(InvalidRequest, match="deeper than 20"):
            check_schema(nested(21, keyword), "schema", bounds)


KEYWORDS = ["type", "properties", "required", "enum", "$ref", "$defs", "anyOf", "items", "not", "additionalProperties"]
VALUES = st.recursive(
    st.sampled_from(["string", "object", "#/$defs/a", "", None, True, False, 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4))
def test_what_the_meta_schema_takes_we_take(schema: dict[str, Any]) -> None:
    try:
        check_schema(schema, "schema", Bounds())
    except InvalidRequest as error:
        refusal = error
    else:
        return
    with pytest.raises(SchemaError):
        Draft202012Validator.check_schema(schema)
    # The slow walk has found what the fast one only saw.
    assert (refusal.param or "").startswith("schema")
    assert not refusal.message.endswith("it must be a JSON Schema")
