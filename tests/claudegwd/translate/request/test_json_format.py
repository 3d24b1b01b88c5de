"""Clients' schemas as structured output takes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.answer.json_check import fault
from claudegwd.translate.request.json_format import output_schema

STRING = {"type": "string"}
REFERENCE = {"$ref": "#/$defs/x"}
OPEN = {"type": "object", "properties": {"a": STRING}}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        of(a=STRING, b={"type": "integer"}, c={"type": "array", "items": STRING, "minItems": 1}),
        of(a={"anyOf": [STRING, {"type": "null"}]}, b={"enum": ["x", 1]}, c={"const": "y"}),
        of(a={"type": "string", "format": "date-time", "description": "When"}),
        {"$defs": {"x": of(a=STRING)}, **of(a={"$ref": "#/$defs/x"}, b={"type": "array", "items": REFERENCE})},
        {"type": "object", "properties": {}, "additionalProperties": False},
    ],
)
def test_what_fits_stays(schema: dict[str, Any]) -> None:
    assert output_schema(schema) == schema


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", **of(a=STRING)}, of(a=STRING)),
        (OPEN, {**OPEN, "additionalProperties": False}),
        ({"properties": {"a": STRING}, "additionalProperties": True}, {**OPEN, "additionalProperties": False}),
        (of(a={"oneOf": [STRING, {"type": "null"}]}), of(a={"anyOf": [STRING, {"type": "null"}]})),
        (of(a={"type": ["string", "null"]}), of(a={"anyOf": [STRING, {"type": "null"}]})),
        (
            of(a={"type": ["string", "null"], "enum": ["x", None]}),
            of(a={"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "null", "enum": [None]}]}),
        ),
        (of(a={"type": ["string", "null"], "enum": ["x"]}), of(a={"anyOf": [{"type": "string", "enum": ["x"]}]})),
        (of(a={"type": ["string", "string"]}), of(a={"anyOf": [STRING]})),
        # What is said of one type is not repeated for the others.
        (
            of(a={**of(b=STRING), "type": ["null", "object"], "maxItems": 2}),
            of(a={"anyOf": [{"type": "null"}, of(b=STRING)]}),
        ),
        (of(a={"type": "integer", "format": "int32"}), of(a={"type": "integer", "description": '{"format": "int32"}'})),
        (of(a={"type": ["string", "null"], "const": "x"}), of(a={"anyOf": [{"type": "string", "const": "x"}]})),
        (of(a={"type": "integer", "enum": [1.0, 2, "x"]}), of(a={"type": "integer", "enum": [1.0, 2]})),
        (
            of(a={"type": "integer", "minimum": 1, "description": "How many"}),
            of(a={"type": "integer", "description": 'How many\n{"minimum": 1}'}),
        ),
        (of(a={"type": "string", "format": "color"}), of(a={"type": "string", "description": '{"format": "color"}'})),
        (
            of(a={"type": "array", "items": STRING, "minItems": 2}),
            of(a={"type": "array", "items": STRING, "description": '{"minItems": 2}'}),
        ),
        (
            {"definitions": {"x": of(a=STRING)}, **of(a={"$ref": "#/definitions/x", "description": "lost"})},
            {"$defs": {"x": of(a=STRING)}, **of(a={"$ref": "#/$defs/x"})},
        ),
    ],
)  # fmt: skip
def test_what_does_not_is_said_otherwise(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert output_schema(given) == made


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": STRING},
        {"type": "object", "patternProperties": {"^a": STRING}, "properties": {"a": STRING}},
        of(a={}),
        of(a=True),
        of(a={"type": "array"}),
        of(a={"type": "array", "items": [STRING]}),
        of(a={"type": "object"}),
        of(a={"description": "anything"}),
        of(a={"$ref": "#"}),
        of(a={"$ref": "#/properties/b"}, b=STRING),
        of(a={"$ref": "https://example.com/schema"}),
        of(a={"$ref": "#/$defs/y"}),
        {"$defs": {"x": STRING}, **of(a={"$ref": "#/$defs/y"})},
        {**OPEN, "required": ["a", "b"]},
        {"type": "object", "properties": {"a": {"type": "integer", "enum": ["x"]}}},
        {"type": "object", "properties": {"a": {"type": ["integer", "null"], "enum": ["x"]}}},
        {"$defs": {"x": of(a={"$ref": "#/$defs/x"})}, **of(a={"$ref": "#/$defs/x"})},
        {"$defs": {"x": of(a={"$ref": "#/$defs/y"}), "y": of(a={"$ref": "#/$defs/x"})}, **of(a={"$ref": "#/$defs/x"})},
    ],
)
def test_what_cannot_be_said_is_none(schema: dict[str, Any]) -> None:
    assert output_schema(schema) is None


def test_a_schema_of_many_parts_takes_no_time() -> None:
    """Each of these once took hours, or longer than that."""
    nested: dict[str, Any] = STRING
    for _ in range(45):
        nested = {"type": ["object", "object"], "properties": {"a": nested}, "additionalProperties": False}
    assert output_schema(of(a=nested))
    chained = {f"d{number}": of(a={"$ref": f"#/$defs/d{number + 1}"}) for number in range(20_000)}
    chained["d20000"] = STRING
    assert output_schema({"$defs": chained, **of(a={"$ref": "#/$defs/d0"})})


PLAIN = st.sampled_from([
    STRING, {"type": "integer"}, {"type": ["string", "null"]}, {"enum": ["x", 1]},
    {"type": ["string", "null"], "enum": ["x", 1]},
])  # fmt: skip
SCHEMAS = st.recursive(
    PLAIN,
    lambda inner: (
        st.dictionaries(st.sampled_from("ab"), inner, min_size=1).map(lambda found: of(**found))
        | inner.map(lambda found: {"type": "array", "items": found})
        | st.lists(inner, min_size=1, max_size=2).map(lambda found: {"anyOf": found})
    ),
    max_leaves=5,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 1) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(SCHEMAS, VALUES)
def test_both_accept_the_same(schema: dict[str, Any], value: Any) -> None:
    made = output_schema(of(value=schema))
    assert made is not None
    assert (fault({"value": value}, made) is None) is (fault({"value": value}, of(value=schema)) is None)
