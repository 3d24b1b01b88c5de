from typing import Any

import pytest
from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

from claudegwd.openai_api.draft_2020 import is_draft_2020

SCHEMAS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"type": ["string", "null"], "minLength": 1, "x-own": None}, True),
    ({"required": ["a", "b"], "dependentRequired": {"a": ["b"]}, "dependencies": {"a": ["b"], "b": True}}, True),
    ({"properties": {"a": {"items": {"$ref": "#/$defs/b"}}}, "$defs": {"b": False}}, True),
    ({"required": ["a", "a"]}, False),
    ({"type": ["string", "string"]}, False),
    ({"dependentRequired": {"a": ["b", "b"]}}, False),
    ({"dependencies": {"a": ["b", "b"]}}, False),
    ({"exclusiveMinimum": True}, False),
    ({"items": [{}]}, False),
    ({"properties": {"a": {"minItems": -1}}}, False),
    ({"title": None}, False),
]


@pytest.mark.parametrize(("schema", "sound"), SCHEMAS, ids=range(len(SCHEMAS)))
def test_it_takes_what_the_meta_schema_takes(schema: dict[str, Any], sound: bool) -> None:
    assert is_draft_2020(schema) is sound
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        assert not sound
    else:
        assert sound
