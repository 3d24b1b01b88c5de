"""Values against schemas, with a full implementation of JSON Schema as the judge."""

from time import perf_counter, process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.translate.answer.json_check import MAX_FAULT_CHARS, fault

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
    assert (fault(value, schema) is None) is Draft202012Validator(schema).is_valid(value)


FULL: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "pattern": ({"pattern": "^a+$"}, "aa", "ab"),
    "a pattern that looks ahead": ({"pattern": "^(?=.*b)a"}, "ab", "aa"),
    "multipleOf": ({"multipleOf": 0.01}, 19.99, 19.999),
    "uniqueItems": ({"uniqueItems": True}, [1, True], [{"a": 1}, {"a": 1.0}]),
    "prefixItems": ({"prefixItems": [{"type": "null"}], "items": False}, [None], [1]),
    "contains": ({"contains": {"type": "null"}}, [1, None], [1]),
    "if": ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"type": "null"}}, "ab", 1),
    "patternProperties": ({"patternProperties": {"^a": {"type": "null"}}}, {"a": None}, {"ab": 1}),
    "propertyNames": ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}),
    "minProperties": ({"minProperties": 1}, {"a": 1}, {}),
    "unevaluatedProperties": ({"properties": {"a": True}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
    "true in a list is no 1": ({"const": [1]}, [1.0], [True]),
    "a tuple of an older draft": ({"items": [{"type": "string"}]}, ["a"], [1]),
    "a bound of the oldest": ({"minimum": 1, "exclusiveMinimum": True}, 2, 1),
    "a draft that nobody knows": ({"$schema": "https://example.com/own", "type": "string"}, "a", 1),
    "beside a pattern of another language": ({"pattern": r"\A(?P<a>x)\Z", "type": "string"}, "y", 1),
    "a property called pattern": ({"properties": {"pattern": {"type": "string"}}}, {"pattern": "("}, {"pattern": 1}),
}


@pytest.mark.parametrize("name", FULL)
def test_every_keyword_counts(name: str) -> None:
    schema, right, wrong = FULL[name]
    assert fault(right, schema) is None
    assert fault(wrong, schema)
    assert fault({"v": right}, {"properties": {"v": schema}}) is None
    assert fault({"v": wrong}, {"properties": {"v": schema}})


def test_a_fault_says_where_and_what() -> None:
    schema = {"properties": {"a": {"items": {"type": "integer"}}}}
    found = fault({"a": [1, "x" * 10_000]}, schema)
    assert found is not None
    assert found.startswith("at a[1], ")
    assert "integer" in found
    assert len(found) <= MAX_FAULT_CHARS
    assert str(fault(1, {"type": "string"})).startswith("at its top, ")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": 5},
        {"type": "a type to come"},
        {"minLength": "3"},
        {"properties": {"a": {"$id": "https://example.com/b", "$ref": "#/c"}}},
        {
            "properties": {
                "a": {
                    "id": "https://example.com/b",
                    "$ref": "#/properties/a/definitions/c",
                    "definitions": {"c": {"type": "string"}},
                }
            }
        },
    ],
)
def test_what_cannot_be_understood_passes(schema: dict[str, Any]) -> None:
    for value in ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", {"a": 1}, [1], 1):
        assert fault(value, schema) is None


def twice(keyword: str, within: bool) -> dict[str, Any]:
    """Each step twice the next: a million million of them, beside each other or within each other."""

    def step(number: int) -> dict[str, Any]:
        inner: dict[str, Any] = {"$ref": f"#/$defs/{number + 1}"}
        return {keyword: [{"items": inner} if within else inner] * 2}

    return {"$ref": "#/$defs/0", "$defs": {**{str(number): step(number) for number in range(40)}, "40": {}}}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_check_that_would_never_end_is_not_begun(keyword: str) -> None:
    started = perf_counter()
    assert fault({}, {"$ref": "#"}) is None
    assert fault({}, {keyword: [{"$ref": "#"}]}) is None
    assert fault({}, twice(keyword, within=False)) is None
    assert fault(nested(40), twice(keyword, within=True)) is None
    assert fault(nested(300), {keyword: [{"items": {"$ref": "#"}}] * 2}) is None
    assert fault("a" * 60 + "b", {"pattern": r"^(?=a)((a|aa)+)\1$"}) is None  # the engine has stopped by itself
    assert perf_counter() - started < 5  # some ten milliseconds; the machine may have other work


def doubled(depth: int) -> tuple[dict[str, Any], Any]:
    """A schema, and a value with one fault, which is found in 2 to the power of the depth ways."""

    def step(number: int) -> dict[str, Any]:
        return {"allOf": [{"properties": {"in": {"$ref": f"#/$defs/{number + 1}"}}}] * 2}

    steps = {str(number): step(number) for number in range(depth)}
    value: Any = 1
    for _ in range(depth):
        value = {"in": value}
    return {"$ref": "#/$defs/0", "$defs": {**steps, str(depth): {"type": "string"}}}, value


def test_one_fault_is_looked_for_and_not_all() -> None:
    schema, value = doubled(18)
    started = process_time()
    assert "not of type" in (fault(value, schema) or "")
    assert process_time() - started < 2  # a millisecond; all of them would take ten seconds


def test_named_values_count_too() -> None:
    schema, value = doubled(40)
    assert fault(value, schema) is None


def test_what_real_schemas_need_is_checked() -> None:
    tree = {"type": "object", "properties": {"inner": {"$ref": "#"}, "n": {"type": "integer"}}}
    value: dict[str, Any] = {"n": "wrong"}
    for _ in range(200):
        value = {"inner": value, "n": 1}
    assert fault(value, tree)
    for _ in range(200):
        value = {"inner": value, "n": 1}
    assert fault(value, tree)  # also deeper than its errors go
    value = {"n": "wrong"}
    either = {"properties": {name: {"$ref": "#"} for name in ("left", "right", "of")} | {"n": {"type": "integer"}}}
    for name in ("left", "right", "of") * 25:
        value = {name: value}
    assert fault({"n": 1, "left": value}, either)
    assert fault(nested(400), {"items": {"$ref": "#"}}) is None
    assert fault({"n": 1, "left": {"of": {"n": 2}, "right": {"left": {"right": {}}}}}, either) is None
    wide = {"properties": {f"p{n}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for n in range(300)}}
    rows = {"items": wide}
    assert fault([{f"p{n}": "x" for n in range(300)}] * 50, rows) is None
    assert fault([{"p7": 7}] * 50, rows)
