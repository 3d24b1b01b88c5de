"""One question costs one upstream request, also where the CLI, left alone, would go on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import blocks, last_user_text, say
from claudegwd.demo.script import (
    Answer,
    Drop,
    Pause,
    RecordedRequest,
    ScriptedReply,
    ScriptedUsage,
    Step,
    Text,
    ToolUse,
    Wait,
    overloaded,
)
from tests.e2e.daemon_process import CARRIERS, Daemon, carrying, free_port
from tests.e2e.ends import BRIEF, LAST_EVENTS, ON_EVERY_MODEL, REFUSED, STREAM_ERROR
from tests.e2e.harness import GOOD_KEY, MODEL, Messages, Running, as_messages, running, with_upstream

pytestmark = pytest.mark.cli


@pytest.fixture(scope="module", params=CARRIERS)
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with carrying(request.param) as started:
        yield started


HISTORY: Messages = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "second"},
]


@pytest.fixture
def whole(request: pytest.FixtureRequest, daemon: Daemon) -> bool:
    return bool(request.node.callspec.params["daemon"] == "whole")


@pytest.mark.parametrize("name", LAST_EVENTS)
async def test_however_the_answer_ends(gateway: Running, name: str) -> None:
    gateway.endpoint.script = lambda _: LAST_EVENTS[name]
    limit = {"max_tokens": 2} if name == "max_tokens" else {}
    # As a stream: an answer in one piece that breaks off is asked for once more.
    response = await gateway.post({"model": MODEL, "messages": HISTORY, "stream": True, **limit})
    assert ('"error"' in response.text) is ("block" in name)
    await gateway.until_workers(busy=0)
    assert gateway.endpoint.count == 1
    assert list(gateway.endpoint.strays).count("POST /v1/messages/count_tokens") == 0


READ = {"type": "function", "function": {"name": "read", "parameters": {"properties": {"q": {"type": "string"}}}}}


@pytest.mark.parametrize("name", ON_EVERY_MODEL)
async def test_on_every_model_of_the_catalogue(gateway: Running, name: str, whole: bool) -> None:
    end, status, reason = ON_EVERY_MODEL[name]
    gateway.endpoint.script = lambda _: end
    ids = [model["id"] for model in (await gateway.http.get("/v1/models")).json()["data"]]
    models = [ident for ident in ids if ident.startswith("claude-")]  # the others are aliases of these
    assert MODEL in models
    assert len(models) > 6
    if not whole:  # each of these ends takes longer then: the newest of each family
        models = list({ident.rstrip("-0123456789"): ident for ident in sorted(models)}.values())
        assert len(models) >= 3
    asked = {}
    for model in models:
        before = gateway.endpoint.count
        limit = {"max_tokens": 2} if name == "max_tokens" else {}
        response = await gateway.post({"model": model, "messages": HISTORY, "tools": [READ], **limit})
        assert response.status_code == status, response.text
        if status == 200:
            assert response.json()["choices"][0]["finish_reason"] == reason
        await gateway.until_workers(busy=0)
        asked[model] = gateway.endpoint.count - before
    assert asked == dict.fromkeys(models, 1)


@pytest.mark.parametrize(("attribution", "blocks_before"), [(None, 2), (True, 2), (False, 1)])
async def test_the_clis_billing_block_is_a_choice_of_the_key(attribution: bool | None, blocks_before: int) -> None:
    key = {"name": "k", "token": GOOD_KEY, **({} if attribution is None else {"attribution": attribution})}
    async with running(lambda _: say("done"), keys=[key]) as gateway:
        await gateway.ask([{"role": "system", "content": "Be brief."}, *HISTORY])
        system = [block["text"] for block in gateway.upstream()[0].body["system"]]
    assert system[blocks_before:] == ["Be brief."]
    assert system[0].startswith("x-anthropic-billing-header:") is (blocks_before == 2)


async def test_how_long_a_prompt_may_be_is_for_the_upstream_to_say(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("done",)),), usage=ScriptedUsage(input_tokens=900_000))
    long: Messages = [{"role": "user", "content": "word " * 600_000}]
    first = await gateway.ask(long)
    history = [*long, {"role": "assistant", "content": first.text}, {"role": "user", "content": "And now?"}]
    second = await gateway.ask(history)
    assert (first.text, second.text) == ("done", "done")
    assert second.how in ("continued", "warm")
    assert [len(request.body["messages"]) for request in gateway.upstream()] == [1, 3]


# On a busy machine a CLI needs this to take its settings.
LEISURELY = Pause(0.5)
# Left alone, the CLI asks again 12 ms after the end of such an answer.
ASKS_AGAIN_SECONDS = 1.0


@pytest.mark.parametrize(
    ("said", "stop", "sign"),
    [
        (Text(("cut here",)), "max_tokens", "cut here"),
        (Text(("full here",)), "model_context_window_exceeded", "full here"),
        (Text((" ",)), "end_turn", '"content":" "'),
        (None, "end_turn", "data: {"),
        (ToolUse("toolu_1", "none", {}), "tool_use", '"name":"none"'),
        (Text(("broken off",)), Drop(), "broken off"),
        (Text(("failed",)), STREAM_ERROR, "failed"),
    ],
)
async def test_also_where_the_daemon_is_late(gateway: Running, said: Step | None, stop: str | Step, sign: str) -> None:
    """On a busy machine the daemon may learn of the end when the CLI has long gone on: here it is stopped meanwhile.

    The same process goes on: it has not asked again, so it need not be killed."""
    release = trio.Event()
    steps: tuple[Step, ...] = (*([said] if said else ()), Wait(release), LEISURELY)
    gateway.endpoint.script = lambda _: (
        ScriptedReply(steps, stop_reason=stop) if isinstance(stop, str) else ScriptedReply((*steps, stop))
    )
    before = gateway.endpoint.count
    wanted = {"model": MODEL, "messages": HISTORY, "max_tokens": 4, "stream": True}
    async with gateway.http.stream("POST", "/v1/chat/completions", json=wanted) as response:
        lines = response.aiter_lines()
        async for line in lines:
            if sign in line:
                break
        [serving] = [worker["pid"] for worker in await gateway.workers(state="busy")]
        gateway.daemon.signal(signal.SIGSTOP)
        try:
            release.set()
            await trio.sleep(ASKS_AGAIN_SECONDS)
        finally:
            gateway.daemon.signal(signal.SIGCONT)
        assert "data: [DONE]" in [line async for line in lines]
    await gateway.until_workers(busy=0, settling=0)
    assert gateway.endpoint.count == before + 1
    assert serving in [worker["pid"] for worker in await gateway.workers()]


@pytest.mark.parametrize("cut", [Drop(), STREAM_ERROR])
async def test_an_answer_that_broke_off_is_asked_for_as_before(gateway: Running, cut: Step) -> None:
    """Once more, if nothing of it was handed out; nothing of the broken one is left in the conversation."""
    broken = ScriptedReply((Text(("whole block",)), BRIEF, cut))
    since = gateway.endpoint.count
    gateway.endpoint.script = lambda _: broken if (gateway.endpoint.count - since) % 2 else say("done")
    first = await gateway.ask(HISTORY)
    history = [*HISTORY, {"role": "assistant", "content": first.text}, {"role": "user", "content": "third"}]
    second = await gateway.ask(history)
    assert (first.text, second.text) == ("done", "done")
    asked = [conversation(request.messages) for request in gateway.upstream(since)]
    assert asked == [conversation(HISTORY)] * 2 + [conversation(history)] * 2


@pytest.mark.parametrize("ends", [True, False])
async def test_a_question_that_is_asked_again_costs_no_process(gateway: Running, ends: bool) -> None:
    """Whether it is answered at last or not, the conversation can go back to before it."""
    await gateway.ask(HISTORY)
    await gateway.until_workers(busy=0, settling=0)
    logged, since = len(gateway.daemon.log()), gateway.endpoint.count
    gateway.endpoint.script = lambda _: overloaded() if ends or gateway.endpoint.count <= since + 2 else say("done")
    other: Messages = [*HISTORY[:2], {"role": "user", "content": "another second"}]
    response = await gateway.post({"model": MODEL, "messages": other})
    assert response.status_code == (503 if ends else 200)
    assert gateway.endpoint.count > since + 2
    await gateway.until_workers(busy=0, settling=0)
    gateway.endpoint.script = lambda _: say("edited")
    since = gateway.endpoint.count
    edited: Messages = [*HISTORY[:2], {"role": "user", "content": "a third second"}]
    assert (await gateway.ask(edited)).how in ("rewound", "continued", "warm")
    assert [conversation(request.messages) for request in gateway.upstream(since)] == [conversation(edited)]
    assert "the CLI refused a command" not in gateway.daemon.log()[logged:]  # which ends its process


def conversation(messages: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(each["role"], "".join(block["text"] for block in blocks(each))) for each in messages]


async def only_a_spare(gateway: Running) -> None:
    """Have no worker but a new spare: at the bound, those that were used lately do not make room for one."""
    await gateway.until_workers(busy=0, settling=0, closing=0)
    earlier = {worker["pid"] for worker in await gateway.workers()}

    async def gone() -> bool:
        left = earlier & {worker["pid"] for worker in await gateway.workers()}
        for pid in left - {None}:  # one that is only starting
            with suppress(ProcessLookupError):  # it may end by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        return not left

    await gateway.until(gone)
    await gateway.until_workers(spare=1)


async def test_a_spare_that_has_warmed_up_has_asked_nobody_and_says_nothing_of_it(gateway: Running) -> None:
    await only_a_spare(gateway)  # a new one, while this endpoint looked on
    assert (gateway.endpoint.count, gateway.endpoint.connections, list(gateway.endpoint.strays)) == (0, 0, [])
    messages: Messages = [{"role": "system", "content": "Be brief."}, *as_messages("Said once.")]
    assert (await gateway.ask(messages)).how == "spare"
    [request] = gateway.upstream()
    assert [message["role"] for message in request.messages] == ["user"]
    assert last_user_text(request) == "Said once."
    assert len(blocks(request.messages[0])) == 1
    assert request.body["system"][-1]["text"] == "Be brief."
    assert request.body["tools"] == []


async def test_an_answer_near_its_limit_leaves_a_worker_that_can_go_on(gateway: Running) -> None:
    await only_a_spare(gateway)
    gateway.endpoint.script = lambda _: say("longer than four")
    history = [*HISTORY]
    for hows in ({"spare", "continued", "rewound", "warm"}, {"continued", "warm"}, {"continued", "warm"}):
        await gateway.until_workers(spare=1, settling=0)
        answer = await gateway.ask(history, max_tokens=4)
        assert answer.text == "longer than four"
        assert answer.how in hows
        history += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": "And then?"}]


@pytest.mark.parametrize("name", REFUSED)
async def test_what_upstream_refuses_is_not_asked_again(gateway: Running, name: str, whole: bool) -> None:
    failure, status, code, requests_whole, requests = REFUSED[name]
    gateway.endpoint.script = lambda _: failure
    error = await gateway.refused(HISTORY)
    assert (error.status_code, error.code) == (status, code)
    assert gateway.endpoint.count == (requests_whole if whole else requests)


async def test_a_request_that_is_blocked_does_not_reach_a_proxy_either() -> None:
    """It carries the token, and would go there in the clear."""
    async with trio.open_nursery() as nursery:
        heard: list[bytes] = []

        async def hear(stream: trio.SocketStream) -> None:
            async with stream:
                heard.append(await stream.receive_some())

        [proxy] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, hear, [proxy])
        upstream = free_port()
        env = {
            "CLAUDEGWD_WORKERS__CARRIER": CARRIERS["transcript"],
            "HTTP_PROXY": f"http://127.0.0.1:{proxy.socket.getsockname()[1]}",
            "NO_PROXY": f"127.0.0.1:{upstream}",
        }
        daemon = Daemon(f"http://127.0.0.1:{upstream}", env=env)
        try:
            daemon.start()
            async with with_upstream(daemon) as gateway:
                for name in ("context window", "cut after the first block", "white space"):
                    gateway.endpoint.script = partial(_scripted, name)
                    await gateway.post({"model": MODEL, "messages": HISTORY, "stream": True})
                    await gateway.until_workers(busy=0, settling=0)
            daemon.stop()
        finally:
            daemon.remove()
        assert heard == []
        nursery.cancel_scope.cancel()


def _scripted(name: str, _: RecordedRequest) -> Answer:
    return LAST_EVENTS[name]
