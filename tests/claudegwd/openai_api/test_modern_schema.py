"""Schemas of every draft: rewritten where that means the same, named where nothing takes them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.modern_schema import check_tool_schema, modern

META = Draft202012Validator(Draft202012Validator.META_SCHEMA)
STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"items": [STRING, {}]}, {"prefixItems": [STRING, {}]}),
        ({"items": [STRING], "additionalItems": False}, {"prefixItems": [STRING], "items": False}),
        ({"items": []}, {}),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
        ({"exclusiveMaximum": True}, {}),
        ({"required": ["a", "b", "a"]}, {"required": ["a", "b"]}),
        ({"type": ["string", "string"]}, {"type": ["string"]}),
        ({"dependencies": {"a": ["b", "b"], "c": {"items": []}}}, {"dependencies": {"a": ["b"], "c": {}}}),
        ({"minLength": 1.0}, {"minLength": 1}),
        ({"title": None, "type": None, "properties": None, "items": None, "then": None}, {}),
        ({"default": None, "const": None, "x-own": None}, {"default": None, "const": None, "x-own": None}),
    ],
    ids=range(12),
)
def test_older_forms_are_rewritten_wherever_they_stand(older: dict[str, Any], newer: dict[str, Any]) -> None:
    for inside in (
        lambda schema: schema,
        lambda schema: {"properties": {"a": schema}},
        lambda schema: {"items": {"anyOf": [schema]}},
        lambda schema: {"$defs": {"a": {"unevaluatedProperties": schema}}},
        lambda schema: {"dependencies": {"a": schema}},
    ):
        given_one = inside(older)
        before = copy.deepcopy(given_one)
        check_tool_schema(given_one, "schema", Bounds())
        assert modern(given_one) == inside(newer)
        assert given_one == before


def test_data_is_no_schema() -> None:
    schema = {"enum": [{"items": [None], "title": None}], "default": {"required": None}, "examples": [None]}
    assert modern(schema) is schema


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"title": 5}, "schema.title"),
        ({"format": []}, "schema.format"),
        ({"minLength": -1}, "schema.minLength"),
        ({"minLength": 1.5}, "schema.minLength"),
        ({"multipleOf": 0}, "schema.multipleOf"),
        ({"minimum": "1"}, "schema.minimum"),
        ({"uniqueItems": "yes"}, "schema.uniqueItems"),
        ({"examples": "x"}, "schema.examples"),
        ({"$anchor": "1"}, "schema.$anchor"),
        ({"$id": "#a"}, "schema.$id"),
        ({"$vocabulary": {"a": 1}}, "schema.$vocabulary"),
        ({"dependencies": []}, "schema.dependencies"),
        ({"contentSchema": 5}, "schema.contentSchema"),
        ({"required": True}, "schema.required"),
        ({"properties": {"a": {"items": [{"title": 5}]}}}, "schema.properties.a.prefixItems[0].title"),
        ({"unevaluatedItems": {"title": 5}}, "schema.unevaluatedItems.title"),
        ({"dependentRequired": {"a": 1}}, "schema"),
    ],
    ids=range(17),
)
def test_a_fault_is_named_by_its_path(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_tool_schema(schema, "schema", Bounds())
    assert caught.value.param == path


KEYWORDS = ["type", "required", "enum", "items", "properties", "$defs", "dependencies", "dependentRequired", "anyOf",
            "prefixItems", "not", "contains", "title", "$id", "$anchor", "$vocabulary", "minimum", "exclusiveMinimum",
            "multipleOf", "minLength", "uniqueItems", "examples", "contentSchema", "$schema", "const"]  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 2), st.floats(-1, 2), st.sampled_from(["string", "a", "#"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=5))
def test_what_is_taken_is_of_draft_2020_12_and_what_was_so_stays(schema: dict[str, Any]) -> None:
    try:
        check_tool_schema(schema, "schema", Bounds())
    except InvalidRequest:
        assert not META.is_valid(schema)
        return
    made = modern(schema)
    assert META.is_valid(made)
    assert modern(made) == made
    if META.is_valid(schema):
        assert made == schema
