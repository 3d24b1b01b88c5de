from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.response_format import JsonObject, JsonSchema
from claudegwd.openai_api.responses.parameters import (
    HONOURED,
    IGNORED,
    REFUSED,
    read_include,
    read_metadata,
    read_reasoning,
    read_text,
)
from tests.openai_description import properties

SCHEMA = {"type": "object", "properties": {}}


def test_every_parameter_of_openais_is_dealt_with() -> None:
    assert properties("CreateResponse") <= HONOURED | IGNORED.keys() | REFUSED.keys()
    assert not HONOURED & (IGNORED.keys() | REFUSED.keys())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonObject()),
        (
            {"type": "json_object", "schema": {"type": "object"}},
            JsonSchema("json_object", {"type": "object"}, strict=True, param="text.format.schema"),
        ),
        ({"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, JsonSchema("n", SCHEMA, strict=True)),
    ],
)
def test_the_format_of_the_text(given: dict[str, Any], wanted: Any) -> None:
    found = read_text(Fields({"text": {"format": given, "verbosity": "low"}}), Bounds())
    assert (found.format, found.verbosity) == (wanted, "low")
    assert found.shown == {"format": given, "verbosity": "low"}


def test_no_word_about_the_text() -> None:
    assert read_text(Fields({}), Bounds()).shown == {"format": {"type": "text"}}


def test_reasoning() -> None:
    found = read_reasoning(Fields({"reasoning": {"effort": "high", "summary": "auto", "context": "current_turn"}}))
    assert (found.effort, found.summary, found.ignored) == ("high", "auto", ())
    given = {"generate_summary": "detailed", "context": "all_turns", "mode": "pro"}
    assert read_reasoning(Fields({"reasoning": given})).ignored == (
        "reasoning.summary",
        "reasoning.context",
        "reasoning.mode",
    )


def test_what_is_included_is_named() -> None:
    given = {"include": ["reasoning.encrypted_content"]}
    assert read_include(Fields(given)) == ("include.reasoning.encrypted_content",)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity"),
        ({"reasoning": {"effort": "hardest"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"reasoning": {"context": "some"}}, "reasoning.context"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"include": [5]}, "include[0]"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(body: dict[str, Any], param: str) -> None:
    def read(fields: Fields) -> None:
        read_text(fields, Bounds())
        read_reasoning(fields)
        read_metadata(fields)
        read_include(fields)

    with pytest.raises(CallerError) as caught:
        read(Fields(body))
    assert caught.value.param == param
