"""Schemas that nobody can satisfy, and those that look like it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.answer.json_check import fault
from claudegwd.translate.request.json_possible import impossible

Schema = dict[str, Any]
STRING: Schema = {"type": "string"}


def of(part: Any, **more: Any) -> Schema:
    """An object that must have `a`."""
    return {"type": "object", "properties": {"a": part}, "required": ["a"], **more}


# At a place where anything may be.
NO_SCHEMAS: list[Any] = [{"type": "object", "required": 5}, {"type": [{}]}, {"allOf": 5}, {"properties": []}, 5]

IMPOSSIBLE: list[tuple[Schema, str]] = [
    (of(False), ".properties.a"),
    (of({"enum": []}), ".properties.a.enum"),
    (of({"type": "string", "enum": [1, 2]}), ".properties.a.enum"),
    (of({"type": "string", "const": 1}), ".properties.a.const"),
    (of({"type": "integer", "const": 2.5}), ".properties.a.const"),
    (of({"enum": ["a", 1], "const": "b"}), ".properties.a.enum"),
    (of({"enum": [1, 0], "const": True}), ".properties.a.enum"),
    (of({"not": {}}), ".properties.a.not"),
    ({"type": "object", "not": True}, ".not"),
    ({"properties": {}, "required": ["a"], "additionalProperties": False}, ".required"),
    (of({"type": "integer", "minimum": 5, "maximum": 1}), ".properties.a.maximum"),
    (of({"type": "string", "minLength": 5, "maxLength": 1}), ".properties.a.maxLength"),
    (of({"type": "array", "items": STRING, "minItems": 2, "maxItems": 1}), ".properties.a.maxItems"),
    (of({"type": "array", "items": False, "minItems": 1}), ".properties.a.items"),
    (of(STRING, maxProperties=0), ".maxProperties"),
    (of({"allOf": [STRING, {"type": "integer"}]}), ".properties.a.allOf"),
    (of({"allOf": [STRING, of(False)]}), ".properties.a.allOf[1].properties.a"),
    (of({"anyOf": [{"enum": []}, False]}), ".properties.a.anyOf"),
    (of({"type": ["string", "integer"], "minLength": 2, "maxLength": 1, "minimum": 2, "maximum": 1}),
     ".properties.a.maxLength"),
    (of({"$ref": "#"}), ".properties.a.$ref"),
    ({"type": "object", "properties": {"a\nb": False}, "required": ["a\nb"]}, ".properties.*"),
    ({"type": "object", "properties": {"a" * 65: False}, "required": ["a" * 65]}, ".properties.*"),
    (of({"$ref": "#/$defs/n"}, **{"$defs": {"n": of({"$ref": "#/$defs/n"})}}), ".properties.a.$ref"),
    (of({"$ref": "#/$defs/n"}, **{"$defs": {"n": {"enum": []}}}), ".properties.a.$ref"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "fault"), IMPOSSIBLE)
def test_what_nobody_can_satisfy_is_named(schema: Schema, fault: str) -> None:
    assert impossible(schema) == fault


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        of(STRING),
        of({"type": ["string", "null"], "minLength": 2, "maxLength": 1}),
        of({"type": "array", "items": False}),
        {"type": "object", "properties": {"a": False}},
        {"type": "object", "properties": {"a": STRING}, "required": ["b"]},
        {"type": "object", "required": ["x1"], "patternProperties": {"^x": STRING}, "additionalProperties": False},
        of({"anyOf": [False, STRING]}),
        of({"allOf": [{"type": "number"}, {"type": "integer"}]}),
        of({"enum": ["a", 1, None]}),
        of({"type": "integer", "const": 2.0}),
        of({"type": ["string", "null"], "enum": ["a", None]}),
        of({"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
        of({"type": "array", "items": {"$ref": "#"}}),
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        of({"$ref": "#/$defs/nowhere"}),
        of({"$ref": "#/$defs"}),
        of({"$ref": "#text"}, **{"$defs": {"a": {"$anchor": "text", **STRING}}}),
        of({"$ref": "text.json"}),
        *(of({"$ref": "#/x-parts/a"}, **{"x-parts": {"a": part}}) for part in NO_SCHEMAS),
        of({"type": "string", "minLength": "x", "maxLength": True}),
        of({"type": "string", "minLength": 2, "maxLength": True}),
    ],
)
def test_what_somebody_can_is_not(schema: Schema) -> None:
    assert impossible(schema) is None


def test_a_schema_that_takes_for_ever_is_let_pass() -> None:
    hard: Any = STRING
    for _ in range(40):
        hard = {"anyOf": [{"allOf": [hard, {"type": "integer"}]}, {"allOf": [hard, {"type": "integer"}]}]}
    assert impossible(of(hard)) is None


@pytest.mark.parametrize(
    "part",
    [
        {"enum": [*range(200_000)], "const": -1},
        {"anyOf": [{"$ref": "#/$defs/x"}] * 9_000},
        {"anyOf": [{"$ref": "#/$defs/y"}] * 9_000},
        {"anyOf": [{"$ref": "#/$defs/z"}] * 9_000},
    ],
)
def test_a_long_list_is_let_pass_too(part: Schema) -> None:
    """Each of these once took minutes."""
    long = {
        "x": {"type": "string", "enum": [*range(100_000)]},
        "y": {"type": "object", "required": [f"a{number}" for number in range(100_000)], "maxProperties": 0},
        "z": {"type": ["string"] * 100_000, "minLength": 2, "maxLength": 1},
    }
    assert impossible(of(part, **{"$defs": long})) is None


PARTS = st.recursive(
    st.sampled_from([True, False, STRING, {"type": "integer"}, {"enum": [1, "a"]}, {"enum": []}, {"$ref": "#"}]),
    lambda inner: st.one_of(
        st.builds(of, inner),
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {"allOf": [one, two]}, inner, inner),
        st.builds(lambda one: {"type": "array", "items": one, "minItems": 1}, inner),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from(["a", 1, None]),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.just("a"), inner)),
    max_leaves=4,
)


@given(PARTS, VALUES)
def test_what_one_value_satisfies_is_possible(part: Any, value: Any) -> None:
    schema = of(part)
    if fault({"a": value}, schema) is None:
        assert impossible(schema) is None
