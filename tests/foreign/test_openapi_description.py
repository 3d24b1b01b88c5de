"""Judge: OpenAI's own description of its API, which every body and every chunk has to satisfy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from claudegwd.demo.replies import refusal, say
from claudegwd.demo.script import (
    Answer,
    Drop,
    Event,
    Pause,
    ScriptedReply,
    ScriptedUsage,
    Text,
    Thinking,
    ToolUse,
    bad_request,
    limited,
    revoked,
)
from tests.foreign.judged import MODEL, Judged
from tests.openai_client import described, read_events, stream_data
from tests.openai_description import validator
from tests.plain_http import blocking_client

pytestmark = pytest.mark.cli

CONFIG = """
[workers]
[keys]
hold_seconds = 0
cooldown_seconds = 1
"""
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="  # a point
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"n": {"type": "integer"}},
            "required": ["n"],
            "additionalProperties": False,
        },
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


@dataclass(frozen=True)
class Case:
    """A request, what upstream answers (the small model, unless said otherwise), and the status that comes of it."""

    body: Mapping[str, Any]
    answer: Answer | None = None
    status: int = 200


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def calls(*cities: str, text: str = "") -> ScriptedReply:
    said = (Text((text,)),) if text else ()
    uses = (ToolUse(f"toolu_{city}", "weather", {"city": city}, pieces=2) for city in cities)
    return ScriptedReply((*said, *uses), stop_reason="tool_use")


CHAT = {
    "text": Case(user("hello")),
    "with usage from the cache": Case(
        user("hello"), say("a", "b", usage=ScriptedUsage(1, 2, cache_read=3, cache_creation=4))
    ),
    "no text at all": Case(user("hello"), ScriptedReply()),
    "three choices": Case(user("hello", n=3)),
    "cut at a stop": Case(user("one two", stop=["two"])),
    "cut at its limit": Case(user("a long answer " * 20, max_completion_tokens=5)),
    "refused by the model": Case(user("be evil"), refusal("I would rather not.")),
    "thinking": Case(
        user("2+2", reasoning_effort="high") | {"model": "sonnet"},
        ScriptedReply((Thinking(("hm", "m")), Text(("4",))), usage=ScriptedUsage(9, 8, thinking_tokens=7)),
    ),
    "a tool call": Case(user("weather", tools=[WEATHER]), calls("Bern")),
    "text and two tool calls": Case(user("weather", tools=[WEATHER]), calls("Bern", "Basel", text="Let me see.")),
    "a required tool call": Case(user("weather", tools=[WEATHER], tool_choice="required")),
    "a tool's result": Case(
        user("weather?", tools=[WEATHER])
        | {
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            ]
        },
    ),
    "an older function call": Case(user("weather", functions=[WEATHER["function"]]), calls("Bern")),
    "a JSON object": Case(user("as JSON with 'a' and 'b'", response_format={"type": "json_object"})),
    "a schema": Case(user("7", response_format=SCHEMA)),
    "a picture": Case(user("") | {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PICTURE}}
    ]}]}),
    "parameters without effect": Case(
        user("a", seed=1, user="u", metadata={"a": "b"}, store=False, service_tier="auto", presence_penalty=0)
    ),
    "no messages": Case({"model": MODEL, "messages": []}, status=400),
    "an unknown model": Case(user("a") | {"model": "gpt-5"}, status=404),
    "an unsupported parameter": Case(user("a", logit_bias={"1": 1}), status=400),
    "a prompt too long": Case(user("Be too long."), status=400),
    "upstream finds it invalid": Case(user("a"), bad_request(), 400),
    "no key is left": Case(user("a"), revoked(), 502),
    "upstream limits the rate": Case(user("a"), limited(retry_after=1), 429),
}  # fmt: skip
RESPONSES = {
    "a text": Case({"model": MODEL, "input": "hello", "instructions": "be kind", "metadata": {"a": "b"}}),
    "no text at all": Case({"model": MODEL, "input": "hello"}, ScriptedReply()),
    "cut at its limit": Case({"model": MODEL, "input": "a long answer " * 20, "max_output_tokens": 5}),
    "refused by the model": Case({"model": MODEL, "input": "be evil"}, refusal("I would rather not.")),
    "thinking": Case(
        {"model": "sonnet", "input": "2+2", "reasoning": {"effort": "high", "summary": "auto"}},
        ScriptedReply((Thinking(("hm", "m")), Text(("4",))), usage=ScriptedUsage(9, 8, thinking_tokens=7)),
    ),
    "calls": Case(
        {"model": MODEL, "input": "weather", "tools": [{"type": "function", **WEATHER["function"], "strict": False}]},
        calls("Bern", "Basel", text="Let me see."),
    ),
    "a custom call": Case(
        {"model": MODEL, "input": "patch", "tools": [{"type": "custom", "name": "patch"}], "tool_choice": "required"},
        ScriptedReply((ToolUse("toolu_1", "patch", {"input": "x"}),), stop_reason="tool_use"),
    ),
    "a call's result": Case({"model": MODEL, "input": [
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    ], "tools": [{"type": "function", "name": "weather"}, {"type": "web_search"}]}),
    "a schema": Case({"model": MODEL, "input": "7", "text": {
        "format": {"type": "json_schema", **SCHEMA["json_schema"]}, "verbosity": "low"}}),
    "no input": Case({"model": MODEL}, status=400),
    "an unknown model": Case({"model": "gpt-5", "input": "a"}, status=404),
    "a prompt too long": Case({"model": MODEL, "input": "Be too long."}, status=400),
    "upstream limits the rate": Case({"model": MODEL, "input": "a"}, limited(retry_after=1), 429),
}  # fmt: skip
ANSWERED = {name: case for name, case in CHAT.items() if case.status == 200}

COMPLETIONS = {
    "a prompt": Case({"model": MODEL, "prompt": "once"}),
    "two prompts, echoed, two choices": Case({"model": MODEL, "prompt": ["a", "b"], "n": 2, "echo": True}),
    "cut at its limit": Case({"model": MODEL, "prompt": "once upon a time " * 9, "max_tokens": 3}),
    "token numbers": Case({"model": MODEL, "prompt": [1, 2, 3]}, status=400),
}


@pytest.fixture(scope="module", autouse=True)
def _description() -> None:
    """Skips the module where there is no description, before a daemon is started for it."""
    validator("ErrorResponse")


@pytest.fixture
def http(gateway: Judged) -> Iterator[httpx.Client]:
    with blocking_client(gateway.base_url, timeout=60) as client:
        yield client


def ask(gateway: Judged, http: httpx.Client, path: str, case: Case, **more: Any) -> httpx.Response:
    """Ask with fresh keys behind the gateway: some answers cost it one."""
    if case.answer is not None:
        answer = case.answer
        gateway.endpoint.script = lambda _: answer
    response = http.post(path, json={**case.body, **more})
    if case.status in (429, 502):
        gateway.clear_keys()
    assert response.status_code == case.status, response.text
    return response


def chunks(response: httpx.Response, schema: str, said: bytes = b"", meant: bytes = b"") -> list[Any]:
    """Each event of a stream, checked (`said` read as `meant`); an error among them is checked as one."""
    *events, done = stream_data([response.content.replace(said, meant) if said else response.content])
    assert done == "[DONE]"
    return [described("ErrorResponse" if event.startswith('{"error"') else schema, event) for event in events]


@pytest.mark.parametrize("case", CHAT.values(), ids=CHAT.keys())
def test_a_chat_completion_is_as_described(gateway: Judged, http: httpx.Client, case: Case) -> None:
    schema = "CreateChatCompletionResponse" if case.status == 200 else "ErrorResponse"
    described(schema, ask(gateway, http, "/chat/completions", case).content)


@pytest.mark.parametrize("case", ANSWERED.values(), ids=ANSWERED.keys())
def test_every_chunk_of_a_chat_is_as_described(gateway: Judged, http: httpx.Client, case: Case) -> None:
    more = {"stream": True, "stream_options": {"include_usage": True}}
    seen = chunks(ask(gateway, http, "/chat/completions", case, **more), "CreateChatCompletionStreamResponse")
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in seen}) == 1
    assert [chunk["usage"] is not None for chunk in seen] == [False] * (len(seen) - 1) + [True]


# Closed in the moment of its last bytes, a connection may take them with it: the CLI then shows nothing of the answer.
SEEN = Pause(0.3)


@pytest.mark.parametrize("broken", [Drop(), Event("error", {"type": "error", "error": {"type": "overloaded_error"}})])
def test_a_stream_that_breaks_ends_in_a_described_error(
    gateway: Judged, http: httpx.Client, broken: Drop | Event
) -> None:
    case = Case(user("a", stream=True), ScriptedReply((Text(("some ", "words")), SEEN, broken)))
    seen = chunks(ask(gateway, http, "/chat/completions", case), "CreateChatCompletionStreamResponse")
    assert "error" in seen[-1]
    assert not [chunk for chunk in seen if any(choice["finish_reason"] for choice in chunk.get("choices", []))]


@pytest.mark.parametrize("case", COMPLETIONS.values(), ids=COMPLETIONS.keys())
@pytest.mark.parametrize("stream", [False, True])
def test_a_text_completion_is_as_described(gateway: Judged, http: httpx.Client, case: Case, stream: bool) -> None:
    response = ask(gateway, http, "/completions", case, stream=stream)
    if case.status != 200:
        described("ErrorResponse", response.content)
    elif stream:
        # The description has whole answers only; in OpenAI's own streams the inner chunks have no reason yet.
        assert chunks(response, "CreateCompletionResponse", b'"finish_reason":null', b'"finish_reason":"stop"')
    else:
        described("CreateCompletionResponse", response.content)


@pytest.mark.parametrize("case", RESPONSES.values(), ids=RESPONSES.keys())
def test_a_response_is_as_described_and_so_is_what_is_kept_of_it(
    gateway: Judged, http: httpx.Client, case: Case
) -> None:
    answer = ask(gateway, http, "/responses", case)
    if case.status != 200:
        described("ErrorResponse", answer.content)
        return
    made = described("Response", answer.content)
    assert described("Response", http.get(f"/responses/{made['id']}").content) == made
    for order in ("asc", "desc"):
        listed = http.get(f"/responses/{made['id']}/input_items", params={"order": order})
        described("ResponseItemList", listed.content)


@pytest.mark.parametrize("case", [case for case in RESPONSES.values() if case.status == 200])
def test_every_event_of_a_response_is_as_described(gateway: Judged, http: httpx.Client, case: Case) -> None:
    events = read_events([ask(gateway, http, "/responses", case, stream=True).content])
    for event in events:
        validator("ResponseStreamEvent").validate(event)
    assert events[-1]["type"] in ("response.completed", "response.incomplete")


def test_the_models_are_as_described(http: httpx.Client) -> None:
    listed = described("ListModelsResponse", http.get("/models").content)
    for model in listed["data"]:
        described("Model", http.get(f"/models/{model['id']}").content)


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("GET", "/models/gpt-5", {}, b"", 404),
        ("POST", "/embeddings", {"content-type": "application/json"}, b"{}", 404),
        ("GET", "/chat/completions", {}, b"", 405),
        ("POST", "/chat/completions", {"content-type": "text/plain"}, b"{}", 415),
        ("POST", "/chat/completions", {"content-type": "application/json"}, b'{"model":', 400),
        ("POST", "/chat/completions", {"content-type": "application/json"}, b"[]", 400),
        ("POST", "/chat/completions", {"content-type": "application/json"}, b" " * 33_554_433, 413),
    ],
    ids=["unknown model", "unknown route", "wrong method", "wrong type", "broken JSON", "no object", "too large"],
)
def test_a_refusal_before_the_question_is_as_described(
    http: httpx.Client, method: str, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    response = http.request(method, path, headers=headers, content=content)
    assert response.status_code == status
    error = described("ErrorResponse", response.content)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
