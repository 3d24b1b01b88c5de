"""response_format: by which way an answer gets its form, and what counts as one."""

from typing import Any

import pytest

from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.answer.answer_format import AnswerFormat, answer_format
from tests.claudegwd.translate.requests import chat

SCHEMA = {
    "type": "object",
    "properties": {"b": {"type": "string"}, "a": {"type": "integer", "minimum": 1}},
    "required": ["b", "a"],
}
MAP = {"type": "object", "additionalProperties": {"type": "string"}}


def wanted(
    kind: str, schema: dict[str, Any] | None = None, *, structured: bool = True, **more: Any
) -> AnswerFormat | None:
    inner = {"json_schema": {"name": "x", "schema": schema, **more}} if kind == "json_schema" else {}
    request = chat(response_format={"type": kind, **inner})
    return answer_format(request.response_format, structured=structured)


def test_text() -> None:
    assert wanted("text") is None


def test_an_object_of_any_shape_is_asked_for_in_words() -> None:
    made = wanted("json_object")
    assert made is not None
    assert made.output is None
    assert "one JSON object and nothing else" in made.instruction
    assert made.fault(' {"a": [1]} ') is None
    for text in ("", "{", "[]", "null", '"x"', "1", '{"a": 1} x', "```json\n{}\n```", '{"a": NaN}', "[" * 100_000):
        assert made.fault(text)


def test_a_schema_goes_to_structured_output_where_there_is_one() -> None:
    made = wanted("json_schema", SCHEMA, strict=True)
    assert made is not None
    assert made.output is not None
    assert made.output["type"] == "json_schema"
    assert list(made.output["schema"]["properties"]) == ["b", "a"]
    assert made.instruction == ""


@pytest.mark.parametrize(("schema", "structured"), [(SCHEMA, False), (MAP, True), (None, True)])
def test_else_in_words(schema: dict[str, Any] | None, structured: bool) -> None:
    made = wanted("json_schema", schema, structured=structured)
    assert made is not None
    assert made.output is None
    assert made.instruction.count("{") >= (1 if schema else 0)
    assert made.instruction.index("JSON Schema") > 0


def test_the_words_hold_the_schema_in_its_order() -> None:
    made = wanted("json_schema", SCHEMA, structured=False)
    assert made is not None
    assert made.instruction.endswith('"required":["b","a"]}')
    assert made.instruction.index('"b"') < made.instruction.index('"a"')


def test_only_a_strict_schema_is_held_against_the_answer() -> None:
    strict, loose = wanted("json_schema", SCHEMA, strict=True), wanted("json_schema", SCHEMA)
    assert strict is not None
    assert loose is not None
    assert strict.fault('{"b": "x", "a": 1}') is None
    for text in ('{"b": "x", "a": 0}', '{"b": "x"}', "{}"):
        assert strict.fault(text)
        assert loose.fault(text) is None


@pytest.mark.parametrize(
    "schema",
    [{"type": "array"}, {"type": "string"}, {"type": ["object", "null"]}, {"anyOf": [SCHEMA]}, {"oneOf": [SCHEMA]}],
)
def test_the_root_is_an_object(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wanted("json_schema", schema)
    assert caught.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize("structured", [True, False])
def test_a_correction_names_the_fault_and_the_form(structured: bool) -> None:
    made = wanted("json_schema", SCHEMA, strict=True, structured=structured)
    assert made is not None
    for text, words in (("no", "one whole JSON object"), ('{"b": 1}', "does not satisfy")):
        fault = made.fault(text)
        assert fault is not None
        assert words in fault
        assert fault in made.correction(fault)
        assert made.correction(fault).endswith('"required":["b","a"]}')


def test_json_object_with_a_schema_is_held_to_it() -> None:
    request = chat(response_format={"type": "json_object", "schema": SCHEMA})
    made = answer_format(request.response_format, structured=True)
    assert made is not None
    assert made.output is not None
    assert made.fault('{"b": "x", "a": 1}') is None
    assert made.fault('{"b": "x"}')
    for schema, param in (({"type": "array"}, "response_format.schema"), ({"type": 7}, "response_format.schema.type")):
        with pytest.raises(InvalidRequest) as caught:
            answer_format(
                chat(response_format={"type": "json_object", "schema": schema}).response_format, structured=True
            )
        assert caught.value.param == param
