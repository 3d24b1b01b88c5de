from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claudegwd.demo.instance import MAX_VALUES, instance

STATION = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 30, "maxLength": 40},
        "when": {"type": "string", "format": "date"},
        "kind": {"enum": ["tram", "bus"]},
        "version": {"const": 2},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 2},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        "open": {"type": "boolean"},
    },
    "required": ["name", "when", "kind", "version", "lines", "note", "open"],
    "additionalProperties": False,
    "$defs": {
        "line": {
            "allOf": [{"$ref": "#/$defs/base"}, {"properties": {"n": {"type": "integer"}}, "required": ["n"]}],
        },
        "base": {"type": "object", "properties": {"id": {"type": ["null", "string"]}}, "required": ["id"]},
    },
}


@pytest.mark.parametrize(
    "schema",
    [
        STATION,
        True,
        {},
        {"type": "object"},
        {"properties": {"a": {"type": "string"}}},
        {"items": {"type": "number"}},
        {"type": "number", "exclusiveMinimum": 3},
        {"type": "integer", "minimum": 2.5},
        {"type": "integer", "maximum": -4},
        {"type": "number", "exclusiveMaximum": 1},
        {"type": "string", "examples": ["Zürich"]},
        {"type": "integer", "default": 9},
        {"type": "null"},
        {"oneOf": [{"type": "integer"}]},
        {"type": "array", "maxItems": 0},
        {"type": "string", "maxLength": 2},
    ],
)
def test_the_instance_fits(schema: Any) -> None:
    jsonschema.validate(instance(schema), schema)


def test_texts_are_about_their_field() -> None:
    schema = {"type": "object", "properties": {"home_town": {"type": "string"}}, "required": ["home_town"]}
    assert instance(schema) == {"home_town": "example home town"}


def test_a_schema_that_refers_to_itself_ends_soon() -> None:
    many = {"type": "array", "minItems": 5, "items": {"$ref": "#"}}
    schema = {"type": "object", "required": ["a", "b"], "properties": {"a": many, "b": many}}
    assert len(str(instance(schema))) < 10 * MAX_VALUES
    assert instance({"$ref": "#"}) == {}


SCHEMA_KEYS = st.sampled_from(
    ["type", "properties", "items", "required", "enum", "anyOf", "allOf", "$ref", "minimum", "minItems", "maxLength"]
)
WORDS = st.sampled_from(["object", "array", "string", "#", "#/a"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCHEMA_KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)  # a busy machine is no fault of a schema
@given(ANYTHING)
def test_no_schema_is_too_odd(schema: Any) -> None:
    instance(schema)
