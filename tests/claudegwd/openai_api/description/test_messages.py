"""What we say of Anthropic's API is what is read."""

from contextlib import nullcontext
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.messages_api.parameters import KNOWN, REFUSED
from claudegwd.messages_api.request import read_messages_request
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.document import OPERATIONS
from claudegwd.openai_api.description.messages import messages_schemas
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields

SCHEMAS = messages_schemas(Bounds())


def test_described_fields_are_known() -> None:
    described = SCHEMAS["MessagesRequest"]["properties"].keys()
    assert described <= KNOWN
    assert not described & REFUSED.keys()


def test_an_error_is_what_is_written() -> None:
    body = {"type": "error", "error": {"type": "api_error", "message": "m"}, "request_id": "r"}
    assert Draft202012Validator(SCHEMAS["MessagesError"]).is_valid(body)
    assert not Draft202012Validator(SCHEMAS["MessagesError"]).is_valid({"error": {"message": "m"}})


def test_its_failures_are_anthropics() -> None:
    responses = OPERATIONS["POST", "/v1/messages"]["responses"]
    assert {"402", "529"} <= responses.keys()
    assert "503" not in responses
    failed = [told["content"]["application/json"]["schema"] for status, told in responses.items() if status != "200"]
    assert {schema["$ref"] for schema in failed} == {"#/components/schemas/MessagesError"}


@pytest.mark.parametrize(
    ("system", "taken"),
    [
        ("s", True),
        ([{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], True),
        ([{"type": "text", "text": ""}], False),
        ([{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}], False),
    ],
)
def test_a_system_prompt_is_described_as_it_is_read(system: Any, taken: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 5, "system": system}
    assert Draft202012Validator(SCHEMAS["MessagesRequest"]).is_valid(body) is taken
    with nullcontext() if taken else pytest.raises(CallerError):
        read_messages_request(Fields(body), "", Bounds())
