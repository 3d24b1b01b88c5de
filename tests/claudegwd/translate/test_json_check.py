"""Values against schemas, with a full implementation of JSON Schema as the judge."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.translate.json_check import is_valid

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
SIZES = st.integers(0, 3)


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=2),
            "const": VALUES,
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "minItems": SIZES,
            "maxItems": SIZES,
            "minLength": SIZES,
            "maxLength": SIZES,
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "exclusiveMinimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
            "$ref": st.sampled_from(["#/$defs/x", "#/$defs/y~1z"]),
        },
    )


SCHEMAS = st.recursive(st.booleans() | keywords(st.booleans()), keywords, max_leaves=4)
DEFINITIONS: dict[str, Any] = {"x": {"type": ["string", "object"]}, "y/z": {"maxLength": 1, "maxProperties": 9}}


@settings(max_examples=50)  # the judge is slow; 2,000 were tried once
@given(VALUES, keywords(SCHEMAS))
def test_as_the_judge_has_it(value: Any, schema: dict[str, Any]) -> None:
    schema = {**schema, "$defs": DEFINITIONS}
    assert is_valid(value, schema) is Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a+)+$"},
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
        {"prefixItems": [{"type": "null"}], "items": False},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": 5},
        {"type": "a type to come"},
        {"minLength": "3"},
    ],
)
def test_what_is_not_known_passes(schema: dict[str, Any]) -> None:
    for value in ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", {"a": 1}, [1], 1):
        assert is_valid(value, schema)


def test_a_schema_that_never_ends_passes() -> None:
    assert is_valid({}, {"$ref": "#"})
    # Each step twice the next: a million million of them.
    steps: dict[str, Any] = {str(step): {"allOf": [{"$ref": f"#/$defs/{step + 1}"}] * 2} for step in range(40)}
    assert is_valid({}, {"$ref": "#/$defs/0", "$defs": {**steps, "40": {"type": "object"}}})
