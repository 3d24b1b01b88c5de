"""Tool calls: streamed as they come, parked in mid-turn, resumed in the very process or by replay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claudegwd.demo.replies import blocks, say
from claudegwd.demo.script import Answer, Pause, RecordedRequest, Script, ScriptedReply, Text, ToolUse
from tests.e2e.harness import MODEL, Answered, Messages, Running, secret

pytestmark = pytest.mark.cli

# What is kept in a process and resumed there. tests/e2e/test_carriers.py has what is common to both ways.
TRANSCRIPT = {"CLAUDEGWD_WORKERS__CARRIER": "transcript"}
SHARED = {"env": TRANSCRIPT}

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)  # fmt: skip


def tool(name: str, **more: Any) -> dict[str, Any]:
    function = {"name": name, "description": f"Does {name}.", "parameters": SCHEMA, **more}
    return {"type": "function", "function": function}


TOOLS = [tool("alpha"), tool("beta")]


def results_in(request: RecordedRequest) -> list[dict[str, Any]]:
    """The tool results of upstream's last message."""
    return [block for block in blocks(request.messages[-1]) if block["type"] == "tool_result"]


def calls(*names: str, text: str = "I will.") -> Script:
    """Call these tools, with ids toolu_0, toolu_1, …; answer results with "done"."""
    steps = [ToolUse(f"toolu_{n}", name, {"q": secret(name)}, pieces=3) for n, name in enumerate(names)]

    def script(request: RecordedRequest) -> Answer:
        if results_in(request):
            return ScriptedReply((Text(("done",)),))
        return ScriptedReply((*((Text((text,)),) if text else ()), *steps), stop_reason="tool_use")

    return script


def with_answer(messages: Messages, answer: Answered) -> Messages:
    """The conversation with this answer at its end, as clients send it back."""
    return [*messages, answer.message.model_dump(exclude_none=True)]


def result(number: int, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"toolu_{number}", "content": content}


async def begun(gateway: Running, text: str = "Go.", *names: str, **more: Any) -> Messages:
    """A conversation up to two calls that wait for their results."""
    gateway.endpoint.script = calls(*(names or ("alpha", "beta")))
    messages: Messages = [{"role": "user", "content": text}]
    answer = await gateway.ask(messages, tools=TOOLS, **more)
    assert answer.reason == "tool_calls"
    return with_answer(messages, answer)


async def pids(gateway: Running, *states: str) -> set[int]:
    return {row["pid"] for row in await gateway.workers() if row["state"] in states}


async def test_parallel_calls_arrive_together_and_whole(gateway: Running) -> None:
    gateway.endpoint.script = calls("alpha", "beta")
    answer = await gateway.ask("Go.", tools=TOOLS)
    assert answer.reason == "tool_calls"
    assert answer.text == "I will."
    assert [(c.id, c.type, c.function.name) for c in answer.message.tool_calls] == [
        ("toolu_0", "function", "alpha"),
        ("toolu_1", "function", "beta"),
    ]
    assert [json.loads(c.function.arguments) for c in answer.message.tool_calls] == [
        {"q": secret("alpha")},
        {"q": secret("beta")},
    ]
    sent = {each["name"]: each for each in gateway.upstream()[0].body["tools"]}
    assert set(sent) == {"alpha", "beta"}
    assert sent["alpha"]["input_schema"]["required"] == ["q"]
    assert sent["alpha"]["description"] == "Does alpha."


async def test_content_is_null_with_calls_alone_and_no_arguments_are_an_empty_object(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((ToolUse("toolu_0", "alpha", {}),), stop_reason="tool_use")
    answer = await gateway.ask("Just call.", tools=TOOLS)
    assert answer.text is None
    assert answer.message.tool_calls[0].function.arguments == "{}"


async def test_calls_are_streamed_as_every_client_reads_them(gateway: Running) -> None:
    gateway.endpoint.script = calls("alpha", "beta")
    chunks = await gateway.stream("Go.", tools=TOOLS)
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    for index, name in ((0, "alpha"), (1, "beta")):
        first, *rest = [delta for delta in deltas if delta.index == index]
        assert first.function is not None
        assert (first.id, first.type, first.function.name) == (f"toolu_{index}", "function", name)
        assert first.function.arguments == ""
        assert len(rest) == 3
        assert all(d.id is None and d.type is None and d.function and d.function.name is None for d in rest)
        assert json.loads("".join(d.function.arguments or "" for d in rest if d.function)) == {"q": secret(name)}
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["tool_calls"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_results_resume_the_parked_process_in_any_order(gateway: Running, order: tuple[int, int]) -> None:
    before = await pids(gateway, "parked")
    messages = await begun(gateway, f"Order {order}.")
    [parked] = await pids(gateway, "parked") - before
    answer = await gateway.ask([*messages, *(result(n, f"result {n}") for n in order)], tools=TOOLS)
    assert (answer.how, answer.text) == ("parked", "done")
    assert parked in await pids(gateway, "idle", "busy", "settling")
    assert gateway.endpoint.count == 2
    found = {r["tool_use_id"]: blocks(r)[0]["text"] for r in results_in(gateway.upstream()[1])}
    assert found == {"toolu_0": "result 0", "toolu_1": "result 1"}


async def test_results_come_as_parts_and_with_images(gateway: Running) -> None:
    messages = await begun(gateway, "Image.")
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    parts = [{"type": "text", "text": "look"}, image]
    answer = await gateway.ask([*messages, result(0, parts), result(1, "plain")], tools=TOOLS)
    assert (answer.how, answer.text) == ("parked", "done")
    first = next(r for r in results_in(gateway.upstream()[1]) if r["tool_use_id"] == "toolu_0")
    assert [block["type"] for block in blocks(first)] == ["text", "image"]


async def test_new_words_of_the_user_beside_the_results(gateway: Running) -> None:
    messages = await begun(gateway, "Interrupt me.")
    more = [result(0, "r0"), result(1, "r1"), {"role": "user", "content": "and be quick"}]
    answer = await gateway.ask([*messages, *more], tools=TOOLS)
    assert answer.text == "done"
    assert answer.how in ("spare", "cold", "rewound")  # in mid-turn the CLI would put its own words around them
    assert gateway.endpoint.count == 2
    messages_there = gateway.upstream()[1].messages
    assert [message["role"] for message in messages_there] == ["user", "assistant", "user"]
    kinds = [(block["type"], block.get("text")) for block in blocks(messages_there[-1])]
    assert kinds == [("tool_result", None), ("tool_result", None), ("text", "and be quick")]


async def test_some_results_only_are_answered_all_the_same(gateway: Running) -> None:
    messages = await begun(gateway, "Partly.")
    answer = await gateway.ask([*messages, result(1, "r1")], tools=TOOLS)
    assert answer.text == "done"
    assert {r["tool_use_id"] for r in results_in(gateway.upstream()[-1])} == {"toolu_0", "toolu_1"}


async def test_a_result_of_200000_characters_stays_whole_in_the_process(gateway: Running) -> None:
    messages = await begun(gateway, "Large.")
    answer = await gateway.ask([*messages, result(0, "x" * 200_000), result(1, "r1")], tools=TOOLS)
    assert (answer.how, answer.text) == ("parked", "done")
    sizes = sorted(len(blocks(r)[0]["text"]) for r in results_in(gateway.upstream()[1]))
    assert sizes == [2, 200_000]


async def test_a_result_over_the_clis_limit_goes_whole_by_replay(gateway: Running) -> None:
    before = await pids(gateway, "parked")
    messages = await begun(gateway, "Huge.")
    [parked] = await pids(gateway, "parked") - before
    answer = await gateway.ask([*messages, result(0, "x" * 600_000), result(1, "r1")], tools=TOOLS)
    assert answer.text == "done"
    assert answer.how in ("spare", "cold", "rewound")
    sizes = sorted(len(blocks(r)[0]["text"]) for r in results_in(gateway.upstream()[1]))
    assert sizes == [2, 600_000]
    assert parked not in await pids(gateway, "parked")  # nobody would come for it


async def test_an_edited_history_is_replayed_with_the_same_outcome(gateway: Running) -> None:
    messages = await begun(gateway, "Edit.")
    edited = [{"role": "user", "content": "Edited."}, *messages[1:]]
    answer = await gateway.ask([*edited, result(0, "r0"), result(1, "r1")], tools=TOOLS)
    assert answer.text == "done"
    assert answer.how in ("spare", "cold", "rewound")
    first, said, results = gateway.upstream()[1].messages
    assert "Edited." in json.dumps(first)
    assert [block["type"] for block in blocks(said)] == ["text", "tool_use", "tool_use"]
    assert len(blocks(results)) == 2


async def test_a_history_of_tools_without_any_tools(gateway: Running) -> None:
    messages = await begun(gateway, "Drop the tools.")
    answer = await gateway.ask([*messages, result(0, "r0"), result(1, "r1")])
    assert answer.text == "done"


async def test_a_call_of_a_tool_that_nobody_declared(gateway: Running) -> None:
    unknown = ToolUse("toolu_0", "gamma", {})
    # Left alone, the CLI answers such a call itself and asks again. What keeps it from that needs a moment, which an
    # answer in one piece does not leave; its second request would then come to the test after this one.
    gateway.endpoint.script = lambda _: ScriptedReply((unknown, Pause(0.5)), stop_reason="tool_use")
    answer = await gateway.ask("Call what is not there.", tools=TOOLS)
    assert answer.message.tool_calls[0].function.name == "gamma"
    await gateway.until_workers(busy=0, settling=0, closing=0)
    assert gateway.endpoint.count == 1


async def test_fifty_rounds_run_on_one_process(gateway: Running) -> None:
    def script(request: RecordedRequest) -> Answer:
        rounds = sum(1 for m in request.messages for b in blocks(m) if b["type"] == "tool_result")
        if rounds == 50:
            return ScriptedReply((Text(("finished",)),))
        use = ToolUse(f"toolu_r{rounds}", "alpha", {"q": str(rounds)})
        return ScriptedReply((Text((f"round {rounds}",)), use), stop_reason="tool_use")

    gateway.endpoint.script = script
    messages: Messages = [{"role": "user", "content": "Loop."}]
    had = []
    while True:
        answer = await gateway.ask(messages, tools=TOOLS)
        had.append(answer.how)
        if not answer.message.tool_calls:
            break
        [call] = answer.message.tool_calls
        messages = [*with_answer(messages, answer), {"role": "tool", "tool_call_id": call.id, "content": "go on"}]
    assert answer.text == "finished"
    assert had[1:] == ["parked"] * 50
    sessions = [request.headers["x-claude-code-session-id"] for request in gateway.upstream()]
    assert sessions == [sessions[0]] * 51  # one process asked all of it, and each once


@pytest.mark.parametrize(
    ("idents", "argument"),
    [(("toolu_0", "toolu_0"), "a"), (("toolu", "toolu_1"), "a"), (("toolu_0", "toolu_1"), "a" * 1_100_000)],
    ids=["one id twice", "like a batch", "a million characters"],
)
async def test_calls_that_were_handed_out_are_taken_back(
    gateway: Running, idents: tuple[str, str], argument: str
) -> None:
    def script(request: RecordedRequest) -> Answer:
        if results_in(request):
            return ScriptedReply((Text(("done",)),))
        steps = [ToolUse(ident, "alpha", {"q": argument}) for ident in idents]
        return ScriptedReply(tuple(steps), stop_reason="tool_use")

    gateway.endpoint.script = script
    messages: Messages = [{"role": "user", "content": f"Take back {idents} {len(argument)}."}]
    called = await gateway.ask(messages, tools=TOOLS)
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"r{n}"}
               for n, call in enumerate(called.message.tool_calls)]  # fmt: skip
    answer = await gateway.ask([*with_answer(messages, called), *results], tools=TOOLS)
    assert answer.text == "done"
    sent = results_in(gateway.upstream()[-1])
    assert [blocks(one)[0]["text"] for one in sent] == ["r0", "r1"]
    assert len({one["tool_use_id"] for one in sent}) == 2
    uses = [block for block in blocks(gateway.upstream()[-1].messages[-2]) if block["type"] == "tool_use"]
    assert [use["input"] for use in uses] == [{"q": argument}] * 2


async def test_a_chat_in_the_messages_apis_shapes(gateway: Running) -> None:
    anthropic = {"name": "alpha", "description": "One.\n\nTwo.", "input_schema": SCHEMA}
    call = {"type": "tool_use", "id": "call_0", "name": "alpha", "input": {"q": "x"}}
    failed = {"type": "tool_result", "tool_use_id": "call_0", "content": "broken", "is_error": True}
    messages: Messages = [
        {"role": "user", "content": [{"type": "text", "text": "Go."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I will."}, call]},
        {"role": "user", "content": [failed, {"type": "text", "text": "Once more."}]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{**failed, "content": [{"type": "text", "text": "fine"}], "is_error": False}]},
    ]
    body = {"model": MODEL, "messages": messages, "tools": [anthropic], "tool_choice": {"type": "auto"}}
    gateway.endpoint.script = lambda _: say("done")  # an echo of results is blank, after which the CLI may ask again
    answer = await gateway.post(body)
    assert answer.status_code == 200, answer.text
    (request,) = gateway.upstream()
    assert [tool["name"] for tool in request.body["tools"]] == ["alpha"]
    kinds = [[block["type"] for block in blocks(message)] for message in request.messages]
    assert kinds == [["text"], ["text", "tool_use"], ["tool_result", "text"], ["tool_use"], ["tool_result"]]
    first, second = blocks(request.messages[2])[0], blocks(request.messages[4])[0]
    assert (first.get("is_error", False), second.get("is_error", False)) == (True, False)
    assert first["tool_use_id"] != second["tool_use_id"] == blocks(request.messages[3])[0]["id"]
