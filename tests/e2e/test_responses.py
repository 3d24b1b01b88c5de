"""The Responses API: what the official client makes of it, and that it goes on in the process that a chat would."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
import trio
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from claudegwd.demo.replies import blocks, refusal, say
from claudegwd.demo.script import (
    Answer,
    Drop,
    RecordedRequest,
    Script,
    ScriptedReply,
    ScriptedUsage,
    Text,
    Thinking,
    ToolUse,
    Wait,
)
from tests.e2e.harness import MODEL, Running, running, secret
from tests.openai_client import final_response, read_events, stream_data

pytestmark = pytest.mark.cli

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"], "additionalProperties": False}
ALPHA = {"type": "function", "name": "alpha", "description": "Does alpha.", "parameters": SCHEMA, "strict": False}
PATCH = {"type": "custom", "name": "patch", "description": "Patches."}
SPACE = {"type": "namespace", "name": "mcp", "description": "", "tools": [ALPHA]}
SEARCH = {"type": "web_search"}


async def ask(gateway: Running, given: Any, **more: Any) -> tuple[Response, str | None]:
    """A response and how its worker was had."""
    raw = await gateway.client.responses.with_raw_response.create(**{"model": MODEL, "input": given, **more})
    return raw.parse(), raw.headers.get("x-claudegw-worker")


async def events(gateway: Running, given: Any, **more: Any) -> list[ResponseStreamEvent]:
    stream = await gateway.client.responses.create(**{"model": MODEL, "input": given, "stream": True, **more})
    return [event async for event in stream]


async def refused(gateway: Running, given: Any = "a", **more: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await ask(gateway, given, **more)
    return caught.value


def answers(text: str, *uses: ToolUse) -> Script:
    """Call these tools; answer their results with the text."""

    def script(request: RecordedRequest) -> Answer:
        if any(block["type"] == "tool_result" for block in blocks(request.messages[-1])):
            return say(text)
        return ScriptedReply((Text(("Wait.",)), *uses), stop_reason="tool_use")

    return script


def result_of(response: Response) -> dict[str, Any]:
    """The result of the response's one call."""
    [call] = [item for item in response.output if item.type in ("function_call", "custom_tool_call")]
    kind = "function_call_output" if call.type == "function_call" else "custom_tool_call_output"
    return {"type": kind, "call_id": getattr(call, "call_id", ""), "output": "fine"}


async def test_a_text_is_answered(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("Hel", "lo", usage=ScriptedUsage(7, 3, cache_read=2, cache_creation=1))
    response, _ = await ask(gateway, secret("Hi."), instructions="Be kind.", metadata={"a": "b"}, max_output_tokens=50)
    assert (response.output_text, response.status, response.metadata) == ("Hello", "completed", {"a": "b"})
    assert response.id.startswith("resp_")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (10, 3, 13)
    assert response.usage.input_tokens_details.cached_tokens == 2
    sent = gateway.upstream()[-1].body
    assert sent["max_tokens"] == 50
    assert "Be kind." in json.dumps(sent["system"])


async def test_a_stream_is_read_by_the_client_and_is_the_whole_answer(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("Hel", "lo", " 😀")),))
    async with gateway.client.responses.stream(model=MODEL, input="Hi.") as stream:
        seen = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert seen[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert seen.count("response.output_text.delta") == 3
    assert seen[-1] == "response.completed"
    assert final.output_text == "Hello 😀"


async def test_a_stream_has_names_and_numbers_and_ends_with_its_last_event(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("a", "b")
    raw = await gateway.post({"model": MODEL, "input": "Hi.", "stream": True}, "/v1/responses")
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert b"[DONE]" not in raw.content
    assert read_events([raw.content])[-1]["type"] == "response.completed"
    assert final_response([raw.content]).output_text == "ab"


async def test_a_tool_loop_with_previous_response_id_stays_on_one_process(gateway: Running) -> None:
    gateway.endpoint.script = answers("done", ToolUse("toolu_0", "alpha", {"q": secret("q")}))
    first, _ = await ask(gateway, "Go.", tools=[ALPHA, SEARCH])
    second, how = await ask(gateway, [result_of(first)], tools=[ALPHA, SEARCH], previous_response_id=first.id)
    assert (second.output_text, how) == ("done", "warm")
    gateway.endpoint.script = lambda _: say("again")
    third, how = await ask(gateway, "More.", tools=[ALPHA, SEARCH], previous_response_id=second.id)
    assert (third.output_text, how, third.previous_response_id) == ("again", "warm", second.id)


async def test_a_tool_loop_with_the_whole_history_stays_on_one_process(gateway: Running) -> None:
    gateway.endpoint.script = answers("done", ToolUse("toolu_0", "alpha", {"q": "x"}, pieces=3))
    history: list[Any] = [{"role": "user", "content": "Go on."}]
    first, _ = await ask(gateway, history, tools=[ALPHA], store=False)
    assert [item.type for item in first.output] == ["message", "function_call"]
    history += [*(item.model_dump(exclude_none=True) for item in first.output), result_of(first)]
    second, how = await ask(gateway, history, tools=[ALPHA], store=False)
    assert (second.output_text, how) == ("done", "warm")
    gateway.endpoint.script = lambda _: say("again")
    history += [*(item.model_dump() for item in second.output), {"role": "user", "content": "More."}]
    third, how = await ask(gateway, history, tools=[ALPHA], store=False)
    assert (third.output_text, how) == ("again", "warm")


async def test_a_custom_tool_and_one_of_a_namespace_come_back_as_what_they_are(gateway: Running) -> None:
    patch = ToolUse("toolu_0", "patch", {"input": 'a "b"\n'}, pieces=4)
    gateway.endpoint.script = answers("patched", patch)
    first, _ = await ask(gateway, "Patch.", tools=[PATCH, SPACE])
    [call] = [item for item in first.output if item.type == "custom_tool_call"]
    assert (call.name, call.input) == ("patch", 'a "b"\n')
    second, how = await ask(gateway, [result_of(first)], tools=[PATCH, SPACE], previous_response_id=first.id)
    assert (second.output_text, how) == ("patched", "warm")
    gateway.endpoint.script = answers("done", ToolUse("toolu_0", "mcp__alpha", {"q": "x"}))
    [inner] = [item for item in (await ask(gateway, "Space.", tools=[SPACE]))[0].output if item.type == "function_call"]
    assert (inner.name, inner.to_dict()["namespace"]) == ("alpha", "mcp")


async def test_tools_that_the_client_finds_can_be_called(gateway: Running) -> None:
    def script(request: RecordedRequest) -> Answer:
        names = [tool["name"] for tool in request.body.get("tools", [])]
        if not any("mcp__alpha" in name for name in names):
            return ScriptedReply((ToolUse("toolu_0", "tool_search", {"query": "alpha"}),), stop_reason="tool_use")
        return ScriptedReply((ToolUse("toolu_1", "mcp__alpha", {"q": "x"}),), stop_reason="tool_use")

    find = {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": SCHEMA}
    gateway.endpoint.script = script
    first, _ = await ask(gateway, "Go.", tools=[find])
    [search] = first.output
    assert search.type == "tool_search_call"
    assert (search.execution, search.arguments) == ("client", {"query": "alpha"})
    found = {"type": "tool_search_output", "call_id": search.call_id, "execution": "client", "tools": [SPACE]}
    second, _ = await ask(gateway, [found], tools=[find], previous_response_id=first.id)
    [call] = second.output
    assert call.type == "function_call"
    assert (call.name, call.to_dict()["namespace"]) == ("alpha", "mcp")


async def test_what_other_tools_did_is_told_to_the_model(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("I see.")
    history = [
        {"role": "user", "content": "Go."},
        {"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "c1", "output": [{"stdout": "a.txt", "stderr": "", "outcome": {}}]},
        {"type": "mcp_list_tools", "id": "m0", "server_label": "s", "tools": []},
        {"type": "mcp_call", "id": "m1", "server_label": "s", "name": "f", "arguments": "{}", "output": "of mcp"},
        {"type": "dream", "id": "d1", "status": "completed"},
        {"role": "user", "content": "And now?"},
    ]
    raw = await gateway.post({"model": MODEL, "input": history, "tools": [ALPHA]}, "/v1/responses")
    assert raw.status_code == 200
    assert raw.headers["x-claudegw-ignored"] == "input.mcp_list_tools, input.dream"
    sent = json.dumps(gateway.upstream()[-1].messages)
    assert "a.txt" in sent
    assert "of mcp" in sent


async def test_parse_gives_the_clients_own_model(gateway: Running) -> None:
    class Point(BaseModel):
        x: int

    gateway.endpoint.script = lambda _: say('{"x": 5}')
    parsed = await gateway.client.responses.parse(model=MODEL, input="Where?", text_format=Point)
    assert parsed.output_parsed == Point(x=5)


async def test_thinking_is_a_summary(gateway: Running) -> None:
    said = (Thinking(("hm", "m")), Text(("4",)))
    gateway.endpoint.script = lambda _: ScriptedReply(said, usage=ScriptedUsage(9, 8, thinking_tokens=7))
    seen = await events(gateway, "2+2", model="sonnet", reasoning={"effort": "high", "summary": "auto"})
    deltas = [event.delta for event in seen if event.type == "response.reasoning_summary_text.delta"]
    assert "".join(deltas) == "hmm"
    last = seen[-1]
    assert last.type == "response.completed"
    assert [item.type for item in last.response.output] == ["reasoning", "message"]
    assert last.response.usage is not None
    assert last.response.usage.output_tokens_details.reasoning_tokens == 7


async def test_what_was_cut_says_why(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("long",)),), stop_reason="max_tokens")
    response, _ = await ask(gateway, "Long.")
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    gateway.endpoint.script = lambda _: refusal("No.")
    [*_, last] = await events(gateway, "Evil.")
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "content_filter"
    assert [part["type"] for item in last.response.output for part in item.to_dict()["content"]][-1] == "refusal"


async def test_a_stream_that_breaks_off_fails(gateway: Running) -> None:
    seen = trio.Event()  # else the end might swallow the text on its way through the CLI
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("some words",)), Wait(seen), Drop()))
    async for last in await gateway.client.responses.create(model=MODEL, input="Break.", stream=True):
        if last.type == "response.output_text.delta":
            seen.set()
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.status, last.response.error.code) == ("failed", "server_error")
    with pytest.raises(openai.NotFoundError):
        await gateway.client.responses.retrieve(last.response.id)


async def test_a_response_is_kept_shown_and_deleted(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("kept")
    given = [{"role": "user", "content": secret("one")}, {"role": "user", "content": "two"}]
    made, _ = await ask(gateway, given)
    assert await gateway.client.responses.retrieve(made.id) == made
    newest = [item async for item in gateway.client.responses.input_items.list(made.id, limit=1)]
    assert [getattr(item, "content", [None])[0].text for item in newest] == ["two", secret("one")]
    await gateway.client.responses.delete(made.id)
    for call in (gateway.client.responses.retrieve, gateway.client.responses.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            await call(made.id)
        assert caught.value.code == "response_not_found"
    error = await refused(gateway, previous_response_id=made.id)
    assert (error.status_code, error.param, error.code) == (
        400, "previous_response_id", "previous_response_not_found",
    )  # fmt: skip


async def test_what_is_not_to_be_stored_is_not_kept(gateway: Running) -> None:
    made, _ = await ask(gateway, "Forget.", store=False)
    with pytest.raises(openai.NotFoundError):
        await gateway.client.responses.retrieve(made.id)


async def test_instructions_are_not_inherited(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("ok")
    first, _ = await ask(gateway, "One.", instructions="Speak Latin.")
    await ask(gateway, "Two.", previous_response_id=first.id)
    sent = gateway.upstream()[-1].body
    assert "Latin" not in json.dumps(sent)
    assert "One." in json.dumps(sent["messages"])


async def test_an_item_of_an_earlier_response_may_be_named(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("answer to name")
    first, _ = await ask(gateway, "One.")
    reference = {"type": "item_reference", "id": first.output[0].id}
    await ask(gateway, [reference, {"role": "user", "content": "Two."}])
    assert "answer to name" in json.dumps(gateway.upstream()[-1].messages)


async def test_a_complete_response_cannot_be_cancelled_or_streamed_again(gateway: Running) -> None:
    made, _ = await ask(gateway, "Done.")
    with pytest.raises(openai.BadRequestError):
        await gateway.client.responses.cancel(made.id)
    with pytest.raises(openai.NotFoundError):
        await gateway.client.responses.cancel("resp_x")
    answer = await gateway.http.get(f"/v1/responses/{made.id}?stream=true")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "stream")


@pytest.mark.parametrize(
    ("given", "more", "param", "code"),
    [
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]}], {},
         "input[0].content[0].image_url", "invalid_value"),
        ([{"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}], {},
         "input[1].content[0].image_url", "invalid_value"),
        ("a", {"tools": [{**ALPHA, "name": "a.b"}, {**ALPHA, "name": "a_b"}], "tool_choice": {"type": "x"}},
         "tool_choice.type", "unsupported_parameter"),
        ("a", {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "array"}}}},
         "text.format.schema", "invalid_value"),
        ("a", {"model": "gpt-5"}, "model", "model_not_found"),
        ([{"type": "function_call", "call_id": "c", "name": "alpha", "arguments": "{}"}], {}, "input", "invalid_value"),
        ([{"type": "function_call_output", "call_id": "c", "output": "a"}], {}, "input[0].call_id", "invalid_value"),
    ],
)  # fmt: skip
async def test_refusals_speak_of_the_fields_that_were_sent(
    gateway: Running, given: Any, more: dict[str, Any], param: str, code: str
) -> None:
    error = await refused(gateway, given, **more)
    assert (error.param, error.code) == (param, code)
    assert "message for each" not in error.message  # nor of a chat's messages
    assert "assistant message" not in error.message


async def test_what_has_no_effect_is_named(gateway: Running) -> None:
    more = {"tools": [SEARCH], "include": ["reasoning.encrypted_content"], "truncation": "auto"}
    body = {"model": MODEL, "input": "a", "client_metadata": {"a": "b"}, **more}
    answer = await gateway.post(body, "/v1/responses")
    assert answer.headers["x-claudegw-ignored"] == (
        "include.reasoning.encrypted_content, truncation, client_metadata, tools.web_search"
    )


async def test_a_client_that_goes_away_frees_the_process(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",) * 1000, gap=0.05),))
    body = {"model": MODEL, "input": "Slowly.", "stream": True}
    async with gateway.http.stream("POST", "/v1/responses", json=body) as answer:
        async for piece in answer.aiter_bytes():
            if b"output_text.delta" in piece:
                assert (await gateway.status())["workers"]["busy"] == 1
                break
    await gateway.until_workers(busy=0)


async def test_a_chat_shaped_as_a_response_is_answered_as_a_chat(gateway: Running) -> None:
    # Cursor's bodies.
    gateway.endpoint.script = answers("done", ToolUse("toolu_0", "alpha", {"q": "x"}))
    body = {"model": MODEL, "input": [{"role": "user", "content": "Go."}], "tools": [ALPHA]}
    answer = (await gateway.post(body)).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "alpha"
    more = {**body, "stream": True, "stream_options": {"include_usage": True}, "tools": []}
    chunks = stream_data([(await gateway.post(more)).content])
    assert chunks[-1] == "[DONE]"
    assert json.loads(chunks[-2])["usage"] is not None
    bad = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]
    refusal = (await gateway.post({**body, "input": bad})).json()["error"]
    assert refusal["param"] == "input[0].content[0].image_url"
    only_there = {
        "background": True, "metadata": {"a": "b"}, "store": True, "n": 2,
        "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    }  # fmt: skip
    asked = [*body["input"], {"type": "compaction_trigger"}]
    named = (await gateway.post({**body, **only_there, "input": asked})).headers["x-claudegw-ignored"]
    assert set(named.split(", ")) == {*only_there, "input.compaction_trigger"}
    assert "x-claudegw-ignored" not in (await gateway.post({**body, "store": False, "metadata": {}})).headers


async def test_an_operator_may_have_them_outlive_a_restart() -> None:
    async with running(lambda _: say("done"), config='[responses]\nkeep = "disk"\n') as started:
        first, _ = await ask(started, secret("One."))
        files = started.home / "state/responses"

        async def written() -> bool:
            return files.exists() and [file.suffix for file in files.iterdir()] == [""]

        await started.until(written)
        await started.crash_and_restart()
        assert (await started.client.responses.retrieve(first.id)).output_text == "done"
        await ask(started, "Two.", previous_response_id=first.id)
        assert "One." in json.dumps(started.upstream()[-1].messages)
        await started.client.responses.delete(first.id)
        await started.until(written)
    async with running(lambda _: say("done")) as started:
        first, _ = await ask(started, "One.")
        await started.crash_and_restart()
        assert (await refused(started, previous_response_id=first.id)).code == "previous_response_not_found"
