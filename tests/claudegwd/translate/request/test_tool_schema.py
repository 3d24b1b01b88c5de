"""The root of a tool's schema: what is not taken there moves into a definition, and means the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.translate.request.tool_schema import upstream_schema


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"$ref": "#/$defs/x", "$defs": {}}, {"type": "object", "properties": {}, "$ref": "#/$defs/x", "$defs": {}}),
        ({"properties": {"a": {"anyOf": [{}]}}}, {"type": "object", "properties": {"a": {"anyOf": [{}]}}}),
        (
            {"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]},
            {
                "type": "object",
                "properties": {"a": {}},
                "$defs": {"arguments": {"anyOf": [{"required": ["a"]}]}},
                "$ref": "#/$defs/arguments",
            },
        ),
        (
            {"properties": {"a b": {"items": [{}]}}, "required": ["a b"]},
            {
                "type": "object",
                "properties": {},
                "required": ["a b"],
                "$defs": {"arguments": {"properties": {"a b": {"prefixItems": [{}]}}}},
                "$ref": "#/$defs/arguments",
            },
        ),
    ],
    ids=range(6),
)
def test_schemas_of_objects(parameters: dict[str, Any] | None, schema: dict[str, Any]) -> None:
    assert upstream_schema(parameters) == schema


def test_a_definition_of_the_clients_keeps_its_name() -> None:
    made = upstream_schema({"$defs": {"arguments": {}, "arguments_": {}}, "allOf": [{"$ref": "#/$defs/arguments"}]})
    assert made["$ref"] == "#/$defs/arguments__"
    assert made["$defs"]["arguments__"] == {"allOf": [{"$ref": "#/$defs/arguments"}]}


PROPERTIES = st.dictionaries(
    st.sampled_from(["a", "b c", "$d"]),
    st.sampled_from([{}, {"type": "integer"}, {"$ref": "#/$defs/n"}, {"$ref": "#/$defs/arguments/anyOf/0"}]),
)
BRANCHES = st.lists(st.sampled_from([{"required": ["a"]}, {"required": ["b c"]}, {"$ref": "#/$defs/n"}]), min_size=1)
ROOTS = st.fixed_dictionaries(
    {"type": st.just("object"), "$defs": st.just({"n": {}, "arguments": {"anyOf": [{"type": "integer"}]}})},
    optional={
        "properties": PROPERTIES,
        "additionalProperties": st.booleans(),
        "unevaluatedProperties": st.just(False),
        "patternProperties": st.just({"^x": {"type": "integer"}}),
        "required": st.just(["a"]),
        "anyOf": BRANCHES,
        "oneOf": BRANCHES,
        "allOf": BRANCHES,
        "$ref": st.just("#/$defs/n"),
    },
)
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b c", "$d", "x", "y"]), st.sampled_from([1, "1"]))


@given(ROOTS, ARGUMENTS)
def test_it_takes_the_same_arguments(parameters: dict[str, Any], arguments: dict[str, Any]) -> None:
    made = upstream_schema(parameters)
    assert not {"anyOf", "oneOf", "allOf"} & made.keys()
    assert set(made["properties"]) <= {"a"}
    assert Draft202012Validator(made).is_valid(arguments) == Draft202012Validator(parameters).is_valid(arguments)
