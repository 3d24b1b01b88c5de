"""Both ways of asking, whole and by a transcript: what reaches the upstream is the client's conversation, whatever it
did before, and nothing is thrown away that can go back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import blocks, echo, say
from claudegwd.demo.script import Pause, RecordedRequest, ScriptedReply, Text, Thinking, ToolUse, Wait
from tests.arrivals import arrived
from tests.e2e.daemon_process import CARRIERS, Daemon, carrying, free_port
from tests.e2e.harness import MODEL, Messages, Running, as_messages, running, with_upstream

pytestmark = pytest.mark.cli

# How a worker is had that has served before, and now another conversation, or the same one from an earlier point.
AGAIN = {"whole": "warm", "transcript": "rewound"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Look it up.\n\nArgs:\n    q: what to look up",
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        },
    }
]


@pytest.fixture(scope="module", params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def daemon(carrier: str) -> Iterator[Daemon]:
    with carrying(carrier, "[workers]\nspares = 0\nmax = 2\n[limits]\nrequests_per_minute = 0") as started:
        yield started


def conversation(request: RecordedRequest) -> list[tuple[str, list[Any]]]:
    """Roles and blocks, without the markers of the prompt cache."""
    found = []
    for message in request.messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found.append((message["role"], [{k: v for k, v in block.items() if k != "cache_control"} for block in blocks]))
    return found


def texts(request: RecordedRequest) -> list[str]:
    return ["".join(block.get("text", "") for block in blocks) for _, blocks in conversation(request)]


def then(messages: Messages, answer: str | None, text: str) -> Messages:
    return [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": text}]


async def test_a_proxy_is_not_asked_for_the_trial_of_whole_requests() -> None:
    """A proxy cannot reach this machine, and the CLI would be taken for one that cannot send them."""
    env = {"HTTP_PROXY": "http://127.0.0.1:9"}
    daemon = Daemon(f"http://127.0.0.1:{free_port()}", env=env)
    try:
        daemon.start()
        async with with_upstream(daemon) as gateway:
            gateway.endpoint.script = lambda _: say("done")
            await gateway.ask(as_messages("first"))
            await gateway.until_workers(busy=0, settling=0)
            assert (await gateway.ask(as_messages("another"))).how == "warm"
        daemon.stop()
    finally:
        daemon.remove()


async def conversation_of(gateway: Running, turns: int, name: str) -> Messages:
    """A conversation of so many answered turns, ending on the last answer."""
    messages = as_messages(f"{name} 0")
    for number in range(turns):
        answer = await gateway.ask(messages)
        messages = then(messages, answer.text, f"{name} {number + 1}")
    return messages


async def test_half_of_a_character_does_not_end_a_conversation(gateway: Running, carrier: str) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Thinking(("hm \ud83d",)), Text(("a \ud83d", " b"))))
    asked = {"model": MODEL, "reasoning": {"effort": "high"}}
    first = (await gateway.post({**asked, "input": "x"}, "/v1/responses")).json()
    gateway.endpoint.script = lambda _: say("and on")
    for text in ("y", "z"):  # the second time from the middle of a conversation
        more = {**asked, "input": text, "previous_response_id": first["id"]}
        answer = await gateway.post(more, "/v1/responses")
        assert answer.status_code == 200, answer.text
    if carrier == "whole":  # by transcript, the CLI may hold the answer itself
        said = blocks(gateway.upstream()[-1].messages[1])
        assert [block["text"] for block in said] == ["a \N{REPLACEMENT CHARACTER} b"]


async def test_an_edit_goes_back(gateway: Running, carrier: str) -> None:
    messages = await conversation_of(gateway, 3, "edit")
    messages = [*messages[:2], {"role": "user", "content": "edited"}]
    answer = await gateway.ask(messages)
    assert answer.how == AGAIN[carrier]
    assert texts(gateway.upstream()[-1]) == ["edit 0", "edit 0", "edited"]
    assert answer.text == "edited"


async def test_asking_again_goes_back(gateway: Running, carrier: str) -> None:
    messages = await conversation_of(gateway, 2, "again")
    again = await gateway.ask(messages[:3])
    assert again.how == AGAIN[carrier]
    assert texts(gateway.upstream()[-1]) == ["again 0", "again 0", "again 1"]


async def test_a_branch_and_then_the_first_line_again(gateway: Running) -> None:
    messages = await conversation_of(gateway, 2, "branch")
    branch = [*messages[:2], {"role": "user", "content": "aside"}]
    await gateway.ask(branch)
    await gateway.ask(messages)
    assert texts(gateway.upstream()[-1]) == ["branch 0", "branch 0", "branch 1", "branch 1", "branch 2"]


@pytest.mark.parametrize("when", ["before the first token", "in mid-answer"])
async def test_a_stop_leaves_a_worker_that_serves_on(gateway: Running, carrier: str, when: str) -> None:
    messages = await conversation_of(gateway, 1, f"stop {when}")
    await gateway.until_workers(busy=0, settling=0)
    pids = {row["pid"] for row in await gateway.workers("idle")}
    hold = trio.Event()
    said = (Wait(hold),) if when == "before the first token" else (Text(("some",)), Wait(hold))
    gateway.endpoint.script = lambda _: ScriptedReply(said)
    before = gateway.endpoint.count
    with trio.move_on_after(20) as scope:
        wanted = {"model": MODEL, "messages": messages, "stream": True}
        async with trio.open_nursery() as nursery:
            begun = trio.Event()

            async def ask() -> None:
                async with gateway.http.stream("POST", "/v1/chat/completions", json=wanted) as response:
                    async for _ in response.aiter_lines():
                        begun.set()

            nursery.start_soon(ask)
            request = await arrived(gateway.endpoint, before + 1)
            if when == "in mid-answer":
                await begun.wait()
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
    with trio.fail_after(5):
        await request.disconnected.wait()  # the upstream is no longer paid
    gateway.endpoint.script = echo()
    await gateway.until_workers(busy=0, settling=0)
    answer = await gateway.ask([*messages[:-1], {"role": "user", "content": "after the stop"}])
    assert answer.how == ("warm" if carrier == "whole" else "continued")
    assert texts(gateway.upstream()[-1])[-1] == "after the stop"
    assert len(texts(gateway.upstream()[-1])) == 3
    assert pids <= {row["pid"] for row in await gateway.workers()}
    assert gateway.endpoint.count == before + 2


async def test_an_answer_that_was_cut_leaves_a_worker_that_serves_on(gateway: Running, carrier: str) -> None:
    messages = await conversation_of(gateway, 1, "cut")
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("cut off",)), Pause(0.1)), stop_reason="max_tokens")
    before = gateway.endpoint.count
    answer = await gateway.ask(messages, max_tokens=2)
    assert (answer.reason, answer.text) == ("length", "cut off")
    gateway.endpoint.script = echo()
    await gateway.until_workers(busy=0, settling=0)
    following = await gateway.ask(then(messages, "cut off", "go on"))
    assert following.how == ("warm" if carrier == "whole" else "continued")
    assert texts(gateway.upstream()[-1]) == ["cut 0", "cut 0", "cut 1", "cut off", "go on"]
    assert gateway.endpoint.count == before + 2


@pytest.mark.parametrize("earlier", [0, 2])
async def test_a_prefilled_answer_leaves_a_worker_that_serves_on(gateway: Running, carrier: str, earlier: int) -> None:
    gateway.endpoint.script = lambda _: say(" said")
    messages: Messages = [
        *then(as_messages(f"prefilled after {earlier}"), "first", "two")[2 - earlier :],
        {"role": "assistant", "content": "It was"},
    ]
    await gateway.ask(messages)
    # What came before the question is kept, and the question itself is asked again.
    way = "warm" if carrier == "whole" else "continued" if earlier else "rewound"
    for asked in (messages, messages, messages[:-1]):
        await gateway.until_workers(busy=0, settling=0)
        answer = await gateway.ask(asked)
        assert (answer.how, texts(gateway.upstream()[-1])) == (way, [one["content"] for one in asked])


@pytest.mark.parametrize("beside", ["", "So?"])
async def test_results_from_the_history_go_back_with_their_question(
    gateway: Running, carrier: str, beside: str
) -> None:
    gateway.endpoint.script = lambda _: say("found")
    call = {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = then(as_messages(f"results {beside}"), "first", "Look it up.")
    messages += [{"role": "assistant", "tool_calls": [call]}]
    messages += [{"role": "tool", "tool_call_id": "toolu_1", "content": "it is 42"}]
    messages += as_messages(beside) if beside else []
    await gateway.ask(messages, tools=TOOLS)
    hows, sizes = [], []
    for number in range(2):
        for asked in (messages, then(messages, "found", f"and {number}?")):
            await gateway.until_workers(busy=0, settling=0)
            hows.append((await gateway.ask(asked, tools=TOOLS)).how)
            sizes.append(len(gateway.upstream()[-1].messages))
    assert hows == (["warm"] * 4 if carrier == "whole" else ["rewound", "continued"] * 2)
    assert sizes == [5, 7] * 2
    assert "the CLI refused a command" not in gateway.log


async def test_words_that_the_client_was_not_given_are_not_in_its_conversation(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say('Sure: {"a": 1}')
    messages = then(as_messages("words around JSON"), "first", "As JSON.")
    asked: dict[str, Any] = {"response_format": {"type": "json_object"}}
    answer = await gateway.ask(messages, **asked)
    assert answer.text == '{"a": 1}'
    await gateway.ask(then(messages, answer.text, "And again."), **asked)
    assert texts(gateway.upstream()[-1])[-2:] == ['{"a": 1}', "And again."]


async def test_results_of_tools_with_words_beside_them(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((ToolUse("toolu_1", "look", {"q": "a"}),), stop_reason="tool_use")
    messages = as_messages("Look it up.")
    answer = await gateway.ask(messages, tools=TOOLS)
    gateway.endpoint.script = lambda _: say("found")
    messages = [*messages, answer.message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": "toolu_1", "content": "it is 42"}, {"role": "user", "content": "So?"}]
    await gateway.ask(messages, tools=TOOLS)
    request = gateway.upstream()[-1]
    assert [role for role, _ in conversation(request)] == ["user", "assistant", "user"]
    result, words = conversation(request)[-1][1]
    assert (result["type"], result["tool_use_id"], words["text"]) == ("tool_result", "toolu_1", "So?")


async def test_another_conversation_at_the_bound_ends_no_process(gateway: Running, carrier: str) -> None:
    for number in range(4):
        await conversation_of(gateway, 1, f"one of many {number}")
    await gateway.until_workers(busy=0, settling=0, starting=0)
    pids = {row["pid"] for row in await gateway.workers()}
    for number in range(4):
        answer = await gateway.ask(f"and another {number}")
        assert answer.how == AGAIN[carrier]
        assert texts(gateway.upstream()[-1]) == [f"and another {number}"]
        await gateway.until_workers(busy=0, settling=0)
    assert pids == {row["pid"] for row in await gateway.workers()}


async def test_many_conversations_with_tools_run_on_few_processes() -> None:
    def script(request: RecordedRequest) -> ScriptedReply:
        last = request.messages[-1]["content"]
        if any(block["type"] == "tool_result" for block in last):
            return say("done")
        return ScriptedReply(
            (ToolUse(f"toolu_{request.at}".replace(".", "_"), "look", {"q": "a"}),), stop_reason="tool_use"
        )

    config = "[workers]\nmax = 4\n[limits]\nrequests_per_minute = 0"
    async with running(script, config=config) as gateway:
        hows: list[str | None] = []

        async def converse(name: str) -> None:
            messages = as_messages(name)
            for number in range(3):
                for _ in range(2):
                    answer = await gateway.ask(messages, tools=TOOLS)
                    hows.append(answer.how)
                    messages = [*messages, answer.message.model_dump(exclude_none=True)]
                    if answer.reason == "tool_calls":
                        ident = answer.message.tool_calls[0].id
                        messages.append({"role": "tool", "tool_call_id": ident, "content": f"{name} {number}"})
                messages.append({"role": "user", "content": f"{name} {number}"})

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(converse, f"conversation {number}")
        assert gateway.endpoint.count == len(hows) == 48
        assert len(await gateway.workers()) <= 4
        assert hows.count("warm") >= len(hows) - 4, hows
        for request in gateway.upstream():
            [tool] = request.body["tools"]
            assert tool["description"] == TOOLS[0]["function"]["description"]  # type: ignore[index]


@pytest.mark.parametrize("share", [False, True])
async def test_a_worker_stays_with_its_client_unless_it_is_shared(share: bool) -> None:
    config = f"[auth]\nrequired = true\n[workers]\nspares = 0\nmax = 2\nshare = {str(share).lower()}"
    async with running(echo(), config=config) as gateway:
        hows = []
        for name in ("ann", "ben", "ann"):
            made = await gateway.control("POST", "/v1/clients", {"name": f"{name}{len(hows)}"})
            key = made.json()["key"]
            gateway.daemon.secrets.add(key)
            answer = await gateway.ask("hello", extra_headers={"authorization": f"Bearer {key}"})
            hows.append(answer.how)
        assert hows == (["cold", "warm", "warm"] if share else ["cold", "cold", "cold"])


async def test_a_plain_system_prompt_is_the_clients_alone() -> None:
    async with running(echo(), config='[claude]\nsystem = "plain"\n[workers]\nspares = 0') as gateway:
        hows = []
        for prompt in ("Be brief.", "Be long.", None):
            system: Messages = [{"role": "system", "content": prompt}] if prompt else []
            hows.append((await gateway.ask([*system, *as_messages("hello")])).how)
            found = gateway.upstream()[-1].body["system"]
            assert [block["text"] for block in found] == ([prompt] if prompt else [])
        assert hows == ["cold", "warm", "warm"]
