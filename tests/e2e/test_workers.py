"""Workers: how they are had is told truly, clients never share one, and each is freed and replaced in time."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from claudegwd.demo.replies import echo, say, sequence
from claudegwd.demo.script import RecordedRequest, ScriptedReply, Text, ToolUse, Wait, overloaded
from tests.arrivals import arrived
from tests.e2e.harness import MODEL, Messages, Running, as_messages, running

pytestmark = pytest.mark.cli

# What is kept in a process and resumed there. tests/e2e/test_carriers.py has what is common to both ways.
TRANSCRIPT = {"CLAUDEGWD_WORKERS__CARRIER": "transcript"}
SHARED = {"env": TRANSCRIPT}

TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]


def then(messages: Messages, answer: str | None, text: str) -> Messages:
    return [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": text}]


async def test_a_spare_then_the_conversation_goes_on_in_its_process(gateway: Running) -> None:
    await gateway.until_workers(spare=1)
    messages = as_messages("one")
    first = await gateway.ask(messages)
    messages = then(messages, first.text, "two")
    second = await gateway.ask(messages)
    messages = then(messages, second.text, "three")
    third = await gateway.ask(messages)
    assert [first.how, second.how, third.how] == ["spare", "continued", "continued"]
    sessions = [request.headers["x-claude-code-session-id"] for request in gateway.upstream()]
    assert len(set(sessions)) == 1
    assert [len(request.messages) for request in gateway.upstream()] == [1, 3, 5]


async def test_the_same_content_written_otherwise_goes_on_as_well(gateway: Running) -> None:
    messages: Messages = [{"role": "system", "content": "Be brief."}, *as_messages("as a text")]
    first = await gateway.ask(messages)
    rewritten: Messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "as a text"}]},
        {"role": "assistant", "content": [{"type": "text", "text": first.text}], "refusal": None, "audio": None},
        {"role": "user", "content": "and now?"},
    ]
    assert (await gateway.ask(rewritten)).how == "continued"


@pytest.mark.parametrize("what", ["the question", "the answer", "the system prompt", "the model", "the tools"])
async def test_a_branched_conversation_is_replayed_elsewhere(gateway: Running, what: str) -> None:
    messages: Messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Change {what}."}]
    answer = await gateway.ask(messages)
    messages = then(messages, answer.text, "and on")
    more: dict[str, Any] = {}
    if what == "the question":
        messages[1] = {"role": "user", "content": "Another."}
    elif what == "the answer":
        messages[2] = {"role": "assistant", "content": "Another."}
    elif what == "the system prompt":
        messages[0] = {"role": "system", "content": "Be long."}
    elif what == "the model":
        more = {"model": "claude-3-7-sonnet-20250219"}
    else:
        more = {"tools": TOOLS}
    again = await gateway.ask(messages, **more)
    assert again.how in ("spare", "cold", "rewound")
    assert again.text == "and on"
    assert len(gateway.upstream()[-1].messages) == 3


async def test_two_clients_never_share_a_worker() -> None:
    parked = ToolUse("toolu_1", "alpha", {})
    async with running(echo(), config="[auth]\nrequired = true", env=TRANSCRIPT) as gateway:
        tokens = []
        for name in ("ann", "ben"):
            made = (await gateway.control("POST", "/v1/clients", {"name": name})).json()
            gateway.daemon.secrets.add(made["key"])
            tokens.append(made["key"])
        ann, ben = ({"extra_headers": {"authorization": f"Bearer {token}"}} for token in tokens)
        messages = as_messages("a common question")
        answer = await gateway.ask(messages, **ann)
        messages = then(messages, answer.text, "a common second one")
        assert (await gateway.ask(messages, **ben)).how in ("spare", "cold")
        assert (await gateway.ask(messages, **ann)).how == "continued"

        gateway.endpoint.script = lambda _: ScriptedReply((parked,), stop_reason="tool_use")
        messages = as_messages("call")
        answer = await gateway.ask(messages, tools=TOOLS, **ann)
        messages = [*messages, answer.message.model_dump(exclude_none=True)]
        messages.append({"role": "tool", "tool_call_id": "toolu_1", "content": "r"})
        gateway.endpoint.script = lambda _: say("done")
        assert (await gateway.ask(messages, tools=TOOLS, **ben)).how in ("spare", "cold")
        assert (await gateway.ask(messages, tools=TOOLS, **ann)).how == "parked"

        by_client: dict[str, set[int]] = {"ann": set(), "ben": set()}
        for row in await gateway.workers():
            if row["client"] is not None:
                by_client[row["client"]].add(row["pid"])
        assert by_client["ann"]
        assert not by_client["ann"] & by_client["ben"]


async def test_cold_without_spares_and_never_more_than_the_bound() -> None:
    release = trio.Event()
    config = "[workers]\nspares = 0\nmax = 2\n[limits]\nqueue = 2\nqueue_seconds = 20"
    async with running(lambda _: ScriptedReply((Wait(release), Text(("ok",)))), config=config) as gateway:
        said: list[str | None] = []

        async def one(number: int) -> None:
            answer = await gateway.ask(f"number {number}")
            assert answer.how in ("cold", "warm")
            said.append(answer.text)

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(one, number)

            async def all_are_in() -> bool:
                requests = (await gateway.status())["requests"]
                return bool(requests["queued"] == 2 and len(await gateway.workers("busy")) == 2)

            await gateway.until(all_are_in)
            error = await gateway.refused("One too many.")
            assert (error.status_code, error.code) == (503, "overloaded")
            assert float(error.response.headers["retry-after"]) > 0
            assert (await gateway.http.get("/livez")).status_code == 200
            assert len(await gateway.workers()) == 2
            release.set()
        assert said == ["ok"] * 4


async def test_who_waits_too_long_is_told_and_who_leaves_is_forgotten() -> None:
    release = trio.Event()
    config = "[workers]\nspares = 0\nmax = 1\n[limits]\nqueue_seconds = 0.5"
    async with running(lambda _: ScriptedReply((Wait(release), Text(("ok",)))), config=config) as gateway:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "the only worker")
            await arrived(gateway.endpoint, 1)
            late = await gateway.refused("Late.")
            assert (late.status_code, late.code) == (503, "overloaded")
            with trio.move_on_after(0.2):
                await gateway.ask("I leave.")

            async def nobody_waits() -> bool:
                return bool((await gateway.status())["requests"]["queued"] == 0)

            await gateway.until(nobody_waits, 1.0)
            release.set()
        assert gateway.endpoint.count == 1


async def test_a_worker_is_given_up_after_its_time() -> None:
    script = ScriptedReply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    config = "[workers]\nspares = 0\nidle_seconds = 1\nparked_seconds = 1"
    async with running(echo(), config=config, env=TRANSCRIPT) as gateway:
        await gateway.ask("Be idle.")
        gateway.endpoint.script = lambda _: script
        await gateway.ask("Be parked.", tools=TOOLS)
        await gateway.until_workers(idle=0, parked=0, busy=0, closing=0)
        assert await gateway.workers() == []


async def test_one_that_is_free_again_before_it_was_asked_gets_the_next_ones_system_prompt() -> None:
    release = trio.Event()

    def script(request: RecordedRequest) -> ScriptedReply:
        if "Long" in str(request.messages):
            return ScriptedReply((Text(("begun ",)), Wait(release), Text(("and ended",))))
        return say("short")

    def under(system: str, text: str) -> Messages:
        return [{"role": "system", "content": system}, {"role": "user", "content": text}]

    async with running(script, config="[workers]\nmax = 1\nspares = 0") as gateway, trio.open_nursery() as nursery:
        nursery.start_soon(gateway.stream, under("You are A.", "Long."))
        await gateway.until_workers(busy=1)
        nursery.start_soon(gateway.post, {"model": MODEL, "messages": under("You are B.", "Too early.")})

        async def is_queued() -> bool:
            return bool((await gateway.status())["requests"]["queued"] == 1)

        await gateway.until(is_queued)
        await gateway.control("PATCH", "/v1/keys/k0", {"status": "disabled"})
        release.set()
        await gateway.until_workers(busy=0, settling=0)
        await gateway.control("PATCH", "/v1/keys/k0", {"status": "active"})
        await gateway.ask(under("You are B.", "Hello."))
        assert "You are B." in str(gateway.upstream()[-1].body["system"])


@pytest.mark.parametrize("fails", [False, True])
async def test_an_answer_that_was_begun_by_the_client_is_said_once_afterwards(fails: bool) -> None:
    answers = [*([overloaded()] if fails else []), say(" blue sky"), say("done")]
    begun: Messages = [{"role": "user", "content": "Finish my line."}, {"role": "assistant", "content": "The"}]
    async with running(sequence(*answers), **SHARED) as gateway:
        assert (await gateway.ask(begun)).text.strip() == "blue sky"
        await gateway.until_workers(busy=0, settling=0)
        await gateway.ask(then(begun[:1], "The blue sky", "And now?"))
        assert str(gateway.upstream()[-1].messages).count("sky") == 1
