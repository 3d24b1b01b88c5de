import pytest

from claudegwd.openai_api.errors import ContextLengthExceeded, InvalidRequest, Overloaded
from claudegwd.openai_api.responses.paths import Paths

PATHS = Paths(("instructions", "previous_response_id", "input[0]", "input[3]"), ("tools[1]",), frozenset({3}))


@pytest.mark.parametrize(
    ("param", "wanted"),
    [
        ("messages[0].content", "instructions"),
        ("messages[1].content[0].image_url.url", "previous_response_id"),
        ("messages[2].content[1].image_url.url", "input[0].content[1].image_url"),
        ("messages[2].content[1].file.file_data", "input[0].content[1].file_data"),
        ("messages[3].content[0].image_url.url", "input[3].output[0].image_url"),
        ("messages[3].tool_call_id", "input[3].call_id"),
        ("messages[2].tool_calls[0].id", "input[0].call_id"),
        ("messages[9].content", "input"),
        ("messages", "input"),
        ("tools[0].function.name", "tools[1].name"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("reasoning_effort", "reasoning.effort"),
        ("model", "model"),
    ],
)
def test_fields_of_a_chat_by_the_names_that_the_client_knows(param: str, wanted: str) -> None:
    assert PATHS.of(param) == wanted


def test_an_error_is_told_in_the_clients_words() -> None:
    told = PATHS.told(InvalidRequest("cannot read messages[3].tool_call_id: no", param="messages[3].tool_call_id"))
    assert (told.message, told.param, told.code) == (
        "cannot read input[3].call_id: no",
        "input[3].call_id",
        "invalid_value",
    )
    assert PATHS.told(ContextLengthExceeded("cannot")).param == "input"
    busy = Overloaded("cannot")
    assert PATHS.told(busy) is busy


def test_what_is_ignored() -> None:
    assert list(map(PATHS.of, ("temperature", "reasoning_effort"))) == ["temperature", "reasoning.effort"]
