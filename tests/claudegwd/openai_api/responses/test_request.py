import json
from collections.abc import Mapping
from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, InvalidRequest
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import TextPart
from claudegwd.openai_api.responses.input import PREVIOUS, History, read_items
from claudegwd.openai_api.responses.request import ResponsesRequest, parse_responses_request
from tests.openai_description import validator

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
KEPT = [{"type": "message", "id": "msg_0", "role": "user", "content": "before"}, CALL]


class Earlier:
    """One response that is kept."""

    def conversation(self, ident: str, bounds: Bounds) -> History | None:
        if ident != "resp_1":
            return None
        return read_items([Fields({**item}, PREVIOUS) for item in KEPT], bounds, self.unsealed)

    def item(self, ident: str) -> Mapping[str, Any] | None:
        return next((item for item in KEPT if item["id"] == ident), None)

    def unsealed(self, sealed: str) -> str | None:
        return "the sum" if sealed == "sealed" else None


def parse(**fields: Any) -> ResponsesRequest:
    body = json.dumps({"model": "m", "input": "hello", **fields}).encode()
    return parse_responses_request(body, Bounds(), Earlier())


def said(wanted: ResponsesRequest) -> list[tuple[str, str]]:
    texts = [("".join(part.text for part in one.content if isinstance(part, TextPart))) for one in wanted.chat.messages]
    return [(message.role, text) for message, text in zip(wanted.chat.messages, texts, strict=True)]


def test_the_least_request() -> None:
    wanted = parse()
    assert said(wanted) == [("user", "hello")]
    assert (wanted.chat.model, wanted.chat.stream, wanted.chat.ignored) == ("m", False, ())
    assert (wanted.store, wanted.previous) == (True, None)


def test_everything_that_the_chat_needs() -> None:
    chat = parse(
        stream=True,
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        text={"format": {"type": "json_object"}},
        tools=[{"type": "function", "name": "f"}],
        tool_choice="required",
        prompt_cache_key="k",
    ).chat
    assert (chat.stream, chat.max_tokens, chat.temperature, chat.top_p) == (True, 50, 0.5, 0.9)
    assert (chat.parallel_tool_calls, chat.reasoning_effort, chat.tool_choice) == (False, "low", "required")
    assert (chat.prompt_cache_key, [tool.name for tool in chat.tools]) == ("k", ["f"])
    assert chat.response_format is not None


@pytest.mark.parametrize(("given", "fault"), [(None, "missing"), ("", "empty"), ([], "empty")])
def test_empty_input_is_not_missing(given: Any, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot read input: it is {fault}; send a string or a list"):
        parse(input=given)


def test_instructions_are_the_first_word_and_not_kept_with_the_input() -> None:
    wanted = parse(instructions="be kind", input=[{"role": "developer", "content": "be brief"}])
    assert said(wanted) == [("system", "be kind"), ("developer", "be brief")]
    assert wanted.items == [{"role": "developer", "content": "be brief"}]


def test_a_conversation_goes_on_from_a_response_that_is_kept() -> None:
    result = {"type": "function_call_output", "call_id": "c1", "output": "done"}
    wanted = parse(instructions="i", previous_response_id="resp_1", input=[result])
    assert said(wanted) == [("system", "i"), ("user", "before"), ("assistant", ""), ("tool", "done")]
    assert wanted.items == [result]
    assert wanted.paths.of("messages[3].tool_call_id") == "input[0].call_id"


def test_what_codex_sends_is_taken_and_the_rest_is_named() -> None:
    wanted = parse(
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"summary": "auto"},
        client_metadata={"a": "b"},
        tools=[{"type": "web_search", "external_web_access": False}],
        tool_choice="auto",
        user="u",
        truncation="auto",
        text={"verbosity": "high"},
    )
    assert not wanted.store
    assert wanted.chat.ignored == (
        "tools.web_search",
        "include.reasoning.encrypted_content",
        "text.verbosity",
        "user",
        "truncation",
        "client_metadata",
    )


def test_the_echo_is_whole() -> None:
    echo = parse(metadata={"a": "b"}, user="u", instructions="i", tools=[{"type": "function", "name": "f"}]).echo
    made = {"id": "resp_1", "object": "response", "created_at": 1, "error": None, "incomplete_details": None,
            "model": "m", "output": [], **echo}  # fmt: skip
    validator("Response").validate(made)
    assert (echo["metadata"], echo["user"], echo["instructions"]) == ({"a": "b"}, "u", "i")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "invalid_value"),
        ({"input": None}, "input", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"previous_response_id": "resp_2"}, "previous_response_id", "previous_response_not_found"),
        ({"input": [{"type": "function_call_output", "call_id": "c9", "output": ""}]}, "input[0].call_id",
         "invalid_value"),
        ({"background": True, "store": False}, "background", "invalid_value"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"top_logprobs": 2}, "top_logprobs", "unsupported_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"input": [{"role": "user", "content": "a", "x": DEEP}]}, "input", "invalid_value"),
        ({"tools": [{"type": "web_search", "x": DEEP}]}, "tools", "invalid_value"),
        ({"input": [{"role": "user", "content": "a"}] * 9_999, "previous_response_id": "resp_1"}, "input",
         "invalid_value"),
        ({"truncation": "some"}, "truncation", "invalid_value"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_path(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert "messages" not in caught.value.message


def test_a_trigger_at_the_end_asks_for_the_conversation_compacted() -> None:
    given = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"type": "compaction_trigger"}]
    wanted = parse(input=given)
    assert wanted.compacts
    assert said(wanted) == [("user", "a"), ("assistant", "b")]
    assert (wanted.words(), wanted.items) == ((given[0],), given[:2])
    assert not parse(input=given[:2]).compacts
    with pytest.raises(CallerError) as caught:
        parse(input=[given[2], given[0]])
    assert caught.value.param == "input[0].type"


def test_of_an_earlier_response_the_words_of_the_user_stay_too() -> None:
    wanted = parse(previous_response_id="resp_1", input=[{"type": "compaction", "encrypted_content": "sealed"}])
    assert [word["content"] for word in wanted.words()] == ["before"]
