"""Anthropic's Messages API, through its own Python client, the real CLI and the scripted endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pydantic
import pytest

from claudegwd.demo.replies import echo, refusal, say, sequence
from claudegwd.demo.script import (
    Block,
    Drop,
    Fail,
    RecordedRequest,
    ScriptedReply,
    ScriptedUsage,
    Text,
    Thinking,
    ToolUse,
    bad_request,
    limited,
    overloaded,
    revoked,
    spent,
    too_long,
)
from tests.e2e.daemon_process import CARRIERS, Daemon, carrying
from tests.e2e.ends import BRIEF
from tests.e2e.harness import MODEL, Running, running

pytestmark = pytest.mark.cli

VERSION = {"anthropic-version": "2023-06-01"}
TOOLS: list[Any] = [
    {
        "name": "Bash",
        "description": "Run it.",
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
    {"name": "Read", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}},
]


@pytest.fixture(scope="module", params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def daemon(carrier: str) -> Iterator[Daemon]:
    with carrying(carrier) as started:
        yield started


def anthropic_client(base_url: str) -> anthropic.AsyncAnthropic:
    """The official client, but without certificates (tests/plain_http.py)."""
    plain = anthropic.DefaultAsyncHttpxClient(verify=False)
    return anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=0, http_client=plain)


@asynccontextmanager
async def talking(gateway: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic_client(gateway.base_url) as client:
        yield client


def asked(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def spoken(request: RecordedRequest) -> list[tuple[str, Any]]:
    """Roles and contents as they reached the upstream, without the CLI's own cache markers."""
    found = []
    for message in request.messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found.append((message["role"], [{k: v for k, v in one.items() if k != "cache_control"} for one in blocks]))
    return found


async def test_an_answer_in_one_piece_has_every_field(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply((Text(("Good ", "day")),), usage=ScriptedUsage(7, 3, 5, 2))
    async with talking(gateway) as client:
        raw = await client.messages.with_raw_response.create(**asked())
    message = await raw.parse()
    assert [block.text for block in message.content] == ["Good day"]
    assert (message.role, message.type, message.stop_reason, message.stop_sequence) == (
        "assistant", "message", "end_turn", None,
    )  # fmt: skip
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (7, 3)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (5, 2)
    assert message.id.startswith("msg_")
    assert message.model == MODEL
    assert raw.headers["request-id"].startswith("req_")


async def test_the_stream_is_the_upstreams_own(gateway: Running) -> None:
    steps = (Thinking(("Let me ", "see")), Text(("a", "b")), ToolUse("toolu_1", "Bash", {"command": "ls"}, 3))
    gateway.endpoint.script = lambda request: ScriptedReply(steps, "tool_use")
    async with talking(gateway) as client, client.messages.stream(**asked(tools=TOOLS)) as stream:
        names = [event.type async for event in stream]
        final = await stream.get_final_message()
    assert names[0] == "message_start"
    assert names[-1] == "message_stop"
    kinds = [block.type for block in final.content]
    assert kinds == ["thinking", "text", "tool_use"]
    first, second, third = final.content
    assert first.type == "thinking"
    assert (first.thinking, first.signature) == ("Let me see", "c2lnbmF0dXJl")
    assert second.type == "text"
    assert second.text == "ab"
    assert third.type == "tool_use"
    assert (third.id, third.name, third.input) == ("toolu_1", "Bash", {"command": "ls"})
    assert final.stop_reason == "tool_use"


async def test_a_tools_result_goes_back_to_the_model(gateway: Running) -> None:
    call = ToolUse("toolu_1", "Bash", {"command": "ls"})
    gateway.endpoint.script = sequence(ScriptedReply((Text(("Looking",)), call), "tool_use"), say("Two files"))
    async with talking(gateway) as client:
        first = await client.messages.create(**asked(tools=TOOLS))
        messages: list[Any] = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a b", "is_error": False}],
            },
        ]
        second = await client.messages.create(model=MODEL, max_tokens=100, tools=TOOLS, messages=messages)
    assert [block.text for block in second.content if block.type == "text"] == ["Two files"]
    last = gateway.upstream()[-1]
    names = [tool["name"] for tool in last.body["tools"]]
    assert names == ["Bash", "Read"]
    roles = [role for role, _ in spoken(last)]
    assert roles == ["user", "assistant", "user"]
    result = spoken(last)[-1][1][0]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_1")


async def test_raw_events_carry_their_names_and_a_ping(gateway: Running) -> None:
    gateway.endpoint.script = echo()
    answer = await gateway.post(asked(stream=True), "/v1/messages", headers=VERSION)
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert events[:2] == ["message_start", "ping"]
    assert events[-2:] == ["message_delta", "message_stop"]
    assert "[DONE]" not in answer.text


async def test_a_refusal_and_a_cut_answer_keep_the_upstreams_reasons(gateway: Running) -> None:
    async with talking(gateway) as client:
        gateway.endpoint.script = lambda request: refusal("I would", " rather not")
        assert (await client.messages.create(**asked())).stop_reason == "refusal"
        gateway.endpoint.script = lambda request: ScriptedReply((Text(("cut",)),), "max_tokens")
        assert (await client.messages.create(**asked())).stop_reason == "max_tokens"
        gateway.endpoint.script = lambda request: ScriptedReply((Text(("cut",)),), "stop_sequence", "END")
        stopped = await client.messages.create(**asked(stop_sequences=["END"]))
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    ("fail", "status", "kind", "error"),
    [
        (bad_request(), 400, "invalid_request_error", anthropic.BadRequestError),
        (too_long(), 400, "invalid_request_error", anthropic.BadRequestError),
        (overloaded(), 529, "overloaded_error", anthropic.InternalServerError),
    ],
)
async def test_failures_of_the_upstream_have_anthropics_words(
    gateway: Running, fail: Fail, status: int, kind: str, error: type[anthropic.APIStatusError]
) -> None:
    gateway.endpoint.script = lambda request: fail
    async with talking(gateway) as client:
        with pytest.raises(error) as raised:
            await client.messages.create(**asked())
    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert body["request_id"] == raised.value.response.headers["request-id"]
    if fail == too_long():
        assert "prompt is too long" in body["error"]["message"]


async def test_what_breaks_off_ends_in_an_error_event(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply((Text(("so ", "far")), BRIEF, Drop()))
    answer = await gateway.post(asked(stream=True), "/v1/messages", headers=VERSION)
    last = answer.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert '"overloaded_error"' in last
    assert "message_stop" not in answer.text


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}, "model"),
        ({**asked(), "max_tokens": None}, "max_tokens"),
        ({**asked(), "messages": []}, "messages"),
        ({**asked(), "messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
        ({**asked(), "messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "content[0].text"),
        ({**asked(), "temperature": 2}, "temperature"),
        ({**asked(), "fallbacks": [{"model": "x"}]}, "fallbacks"),
        ({**asked(), "tools": [{"name": "a b", "input_schema": {}}]}, "tools[0].name"),
        ({**asked(), "response_format": {"type": "json_object"}}, "/v1/chat/completions"),
    ],
)
async def test_each_fault_is_told_by_its_path(gateway: Running, body: Any, path: str) -> None:
    answer = await gateway.post(body, "/v1/messages", headers=VERSION)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
    assert path in told["error"]["message"]


async def test_the_version_is_asked_for(gateway: Running) -> None:
    answer = await gateway.post(asked(), "/v1/messages")
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]


async def test_models_come_in_the_shape_of_who_asks(gateway: Running) -> None:
    async with talking(gateway) as client:
        page = await client.models.list(limit=2)
        everything = [model.id async for model in client.models.list(limit=2)]
        one = await client.models.retrieve(MODEL)
    assert page.has_more
    assert len(page.data) == 2
    openai = [model.id for model in (await gateway.client.models.list()).data]
    assert everything == openai
    assert (one.id, one.type) == (MODEL, "model")
    missing = await gateway.http.get("/v1/models/none", headers=VERSION)
    assert missing.json()["error"]["type"] == "not_found_error"
    assert (await gateway.http.get("/v1/models/none")).json()["error"]["code"] == "model_not_found"


async def test_tokens_are_counted_without_asking_anybody(gateway: Running) -> None:
    before = gateway.endpoint.count
    async with talking(gateway) as client:
        raw = await client.messages.with_raw_response.count_tokens(
            model=MODEL, messages=[{"role": "user", "content": "a word or two " * 100}], tools=TOOLS
        )
    assert raw.headers["x-claudegw-estimated"] == "input_tokens"
    assert gateway.endpoint.count == before
    counted = await raw.parse()
    assert 300 <= counted.input_tokens <= 500


async def test_keys_are_asked_for_in_either_header() -> None:
    config = "[auth]\nrequired = true\n"
    async with running(echo(), config=config) as gateway:
        made = await gateway.control("POST", "/v1/clients", {"name": "one"})
        key = made.json()["key"]
        answer = await gateway.post(asked(), "/v1/messages", headers=VERSION)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "authentication_error"
        for header in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
            assert (await gateway.post(asked(), "/v1/messages", headers={**VERSION, **header})).status_code == 200


async def test_keys_that_fail_are_passed_and_at_last_named() -> None:
    keys = ("sk-false-one-0001", "sk-false-two-0002")
    async with running(sequence(limited(), say("yes")), keys=keys) as gateway, talking(gateway) as client:
        answer = await client.messages.create(**asked())
        assert [block.text for block in answer.content if block.type == "text"] == ["yes"]
    for fail, status, kind in ((revoked(), 502, "api_error"), (spent(), 402, "billing_error")):
        async with running(lambda _, fail=fail: fail) as gateway:
            answer = await gateway.post(asked(), "/v1/messages", headers=VERSION)
            assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


async def test_blocks_that_nobody_here_knows_pass_through(gateway: Running, carrier: str) -> None:
    if carrier == "transcript":
        pytest.skip("the CLI's own transcript has no place for them")
    cited = {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "https://a.example"}}
    steps = (
        Block({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
        Block({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
        Block({"type": "text", "text": ""}, ({"type": "text_delta", "text": "It is"}, cited)),
    )
    gateway.endpoint.script = lambda request: ScriptedReply(steps)
    answer = await gateway.post(asked(), "/v1/messages", headers=VERSION)
    content = answer.json()["content"]
    assert [block["type"] for block in content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert content[2]["citations"] == [cited["citation"]]


PLAIN = '[claude]\nsystem = "plain"\nserver_tools = ["web_search"]\n'


async def test_a_whole_body_reaches_the_upstream_as_it_came() -> None:
    mark = {"type": "ephemeral"}
    body = {
        "model": MODEL,
        "max_tokens": 3000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": mark}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "@/etc/passwd", "cache_control": mark}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "x" * 9}]},
                    {"type": "search_result", "source": "https://a.example", "title": "t", "content": []},
                ],
            },
        ],
        "tools": [*TOOLS, {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "stop_sequences": ["END"],
        "top_k": 5,
        "metadata": {"user_id": "somebody"},
        "service_tier": "auto",
        "container": "container_1",
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "mcp_servers": [{"type": "url", "url": "https://a.example", "name": "a"}],
    }
    async with running(echo(), config=PLAIN) as gateway:
        headers = {**VERSION, "anthropic-beta": "mcp-client-2025-04-04,context-management-2025-06-27"}
        answer = await gateway.post(body, "/v1/messages", headers=headers)
        assert answer.status_code == 200, answer.text
        assert "x-claudegw-ignored" not in answer.headers
        (sent,) = gateway.upstream()
        assert sent.body == {**body, "stream": True}
        assert sent.headers["anthropic-beta"] == headers["anthropic-beta"]
        web_fetch = {**asked(), "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}
        refused = await gateway.post(web_fetch, "/v1/messages", headers=VERSION)
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")


async def test_a_long_context_is_asked_for_by_the_models_name() -> None:
    async with running(echo(), config=PLAIN) as gateway:
        for betas in ({}, {"anthropic-beta": "some-beta"}):
            body = {**asked(), "model": f"{MODEL}[1m]"}
            answer = await gateway.post(body, "/v1/messages", headers={**VERSION, **betas})
            assert answer.status_code == 200, answer.text
            sent = gateway.upstream()[-1]
            assert sent.model == MODEL
            assert "context-1m-2025-08-07" in sent.headers["anthropic-beta"]
        chat = await gateway.ask("hi", model=f"{MODEL}[1m]")
        assert chat.text == "hi"


async def test_a_newer_version_is_taken_and_named(gateway: Running) -> None:
    answer = await gateway.post(asked(), "/v1/messages", headers={"anthropic-version": "2026-10-21"})
    assert "anthropic-version" in answer.headers["x-claudegw-ignored"].split(", ")


async def test_a_request_at_the_wrong_door_is_told_the_right_one(gateway: Running) -> None:
    answer = await gateway.post({**asked(), "system": "Be brief."})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "system")
    assert "/v1/messages" in answer.json()["error"]["message"]


async def test_a_tool_runner_of_anthropics_goes_round(gateway: Running) -> None:
    call = ToolUse("toolu_1", "add", {"a": 2, "b": 3}, 2)
    gateway.endpoint.script = sequence(ScriptedReply((call,), "tool_use"), say("Five"))

    @anthropic.beta_async_tool
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    async with talking(gateway) as client:
        messages: Any = [{"role": "user", "content": "2 + 3?"}]
        runner = client.beta.messages.tool_runner(model=MODEL, max_tokens=100, tools=[add], messages=messages)
        final = await runner.until_done()
    assert [block.text for block in final.content if block.type == "text"] == ["Five"]
    assert spoken(gateway.upstream()[-1])[-1][1][0]["content"] in ("5", [{"type": "text", "text": "5"}])


async def test_structured_outputs(gateway: Running, carrier: str) -> None:
    class City(pydantic.BaseModel):
        name: str
        people: int

    gateway.endpoint.script = lambda request: say('{"name": "Rome", ', '"people": 3}')
    async with talking(gateway) as client:
        message = await client.messages.parse(**{**asked(), "model": "sonnet"}, output_format=City)
    assert message.parsed_output == City(name="Rome", people=3)
    assert gateway.upstream()[-1].body["output_config"]["format"]["type"] == "json_schema"
