"""Who used what: the ledger says what upstream counted, whatever became of the answers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import by_key, echo, say
from claudegwd.demo.script import Answer, Drop, ScriptedReply, ScriptedUsage, Text, Wait, limited, overloaded
from tests.control_cli import ctl
from tests.e2e.harness import MODEL, Running, running

pytestmark = pytest.mark.cli

CHAT = "/v1/chat/completions"


def upstream_count(gateway: Running) -> tuple[int, int, int, int]:
    told = gateway.endpoint.told
    cached, written = told["cache_read_input_tokens"], told["cache_creation_input_tokens"]
    return told["input_tokens"] + cached + written, told["output_tokens"], cached, written


async def usage(gateway: Running, query: str = "") -> dict[str, Any]:
    response = await gateway.control("GET", f"/v1/usage?{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def ledger_count(gateway: Running) -> tuple[int, int, int, int]:
    total = (await usage(gateway))["total"]
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens")
    return tuple(total[name] for name in names)


async def until_counted(gateway: Running) -> None:
    """The ledger says what upstream does; what nobody waited for is counted once the CLI has told of it."""

    async def same() -> bool:
        return await ledger_count(gateway) == upstream_count(gateway)

    try:
        await gateway.until(same, 10)
    except trio.TooSlowError:
        raise AssertionError(f"{await ledger_count(gateway)} is not {upstream_count(gateway)}") from None


# -- what may become of an answer -------------------------------------------------------------------------------------


def some_usage(dice: random.Random) -> ScriptedUsage:
    return ScriptedUsage(*(dice.randrange(1, 5000) for _ in range(4)))


async def whole(gateway: Running, dice: random.Random) -> None:
    gateway.endpoint.script = lambda _: say("ok", usage=some_usage(dice))
    await gateway.ask("hi", n=dice.choice([1, 1, 3]))


async def streamed(gateway: Running, dice: random.Random) -> None:
    gateway.endpoint.script = lambda _: say("a", "b", usage=some_usage(dice))
    await gateway.stream("hi")


async def cut_short(gateway: Running, dice: random.Random) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)),), stop_reason="max_tokens", usage=some_usage(dice))
    await gateway.ask("hi", max_tokens=1)


async def declined(gateway: Running, dice: random.Random) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)),), stop_reason="refusal", usage=some_usage(dice))
    await gateway.ask("hi")


async def left(gateway: Running, dice: random.Random) -> None:
    """The client goes in mid-stream."""
    never = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)), Wait(never), Text(("b",))), usage=some_usage(dice))
    async with first_text_read(gateway):
        pass
    await gateway.until_workers(busy=0, settling=0)
    never.set()


async def broken(gateway: Running, dice: random.Random) -> None:
    """Upstream breaks off in mid-stream; not before what it said was read, which would be lost with the connection."""
    seen = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)), Wait(seen), Drop()), usage=some_usage(dice))
    async with first_text_read(gateway) as rest:
        seen.set()
        assert any([line.startswith('data: {"error"') async for line in rest])


@asynccontextmanager
async def first_text_read(gateway: Running) -> AsyncIterator[AsyncIterator[str]]:
    """A stream whose first text, "a", has come; the lines behind it."""
    async with gateway.http.stream("POST", CHAT, json=body(stream=True)) as response:
        lines = response.aiter_lines()
        async for line in lines:
            if '"content":"a"' in line:
                break
        yield lines


async def failed_first(gateway: Running, dice: random.Random) -> None:
    """Upstream fails, and answers when it is asked again."""
    answers: list[Answer] = [overloaded(), say("ok", usage=some_usage(dice))]
    gateway.endpoint.script = lambda _: answers.pop(0)
    await gateway.ask("hi")


WAYS: list[Callable[[Running, random.Random], Awaitable[None]]] = [
    whole, streamed, cut_short, declined, left, broken, failed_first,
]  # fmt: skip


def body(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **more}


@pytest.mark.parametrize("seed", range(4))
async def test_the_ledger_says_what_upstream_counted(gateway: Running, seed: int) -> None:
    dice = random.Random(seed)
    before = await ledger_count(gateway)
    gateway.endpoint.told.update(
        input_tokens=before[0] - before[2] - before[3], output_tokens=before[1],
        cache_read_input_tokens=before[2], cache_creation_input_tokens=before[3],
    )  # fmt: skip
    requests = (await usage(gateway))["total"]["requests"]
    ways = [*WAYS, *dice.choices(WAYS, k=4)]
    dice.shuffle(ways)
    for way in ways:
        await way(gateway, dice)
    await until_counted(gateway)
    assert (await usage(gateway))["total"]["requests"] - requests == len(ways)


async def test_it_is_there_after_kill_9() -> None:
    async with running(lambda _: say("ok", usage=ScriptedUsage(1000, 500, 30, 20))) as gateway:
        await gateway.ask("hi")

        async def is_priced() -> bool:
            return bool((await usage(gateway))["total"]["cost_usd"])

        await gateway.until(is_priced)  # the question also writes what is pending
        before = await usage(gateway, "by=client,key,model,hour")
        await gateway.crash_and_restart()
        after = await usage(gateway, "by=client,key,model,hour")
        assert (after["rows"], after["total"]) == (before["rows"], before["total"])
        (row,) = after["rows"]
        assert (row["client"], row["key"], row["model"], row["requests"]) == ("", "k0", MODEL, 1)
        # The CLI's own prices for this model: 3 and 15 dollars a million, reading the cache a tenth, writing 1.25.
        assert row["cost_usd"] == pytest.approx((1000 * 3 + 500 * 15 + 30 * 0.3 + 20 * 3.75) / 1e6)
        assert row["without_cost"] == 0


async def test_under_which_key_and_what_failed() -> None:
    keys = ({"name": "first", "token": "sk-false-1"}, {"name": "second", "token": "sk-false-2"})
    script = by_key({"sk-false-1": limited(retry_after=600)}, echo())
    async with running(script, keys=keys) as gateway:
        await gateway.ask("hi")
        rows = (await usage(gateway, "by=key"))["rows"]
        assert [(row["key"], row["requests"], row["errors"]) for row in rows] == [("second", 1, 0)]
        gateway.endpoint.script = lambda _: limited(retry_after=600)
        await gateway.refused("hi")
        total = (await usage(gateway))["total"]
        assert (total["requests"], total["errors"]) == (2, 1)


async def test_a_request_is_one_however_often_it_is_tried() -> None:
    async with running(lambda _: overloaded()) as gateway:
        await gateway.refused("hi")
        assert gateway.endpoint.count > 1
        (row,) = (await usage(gateway, "by=key"))["rows"]
        assert (row["key"], row["requests"], row["errors"]) == ("k0", 1, 1)


async def test_a_test_of_a_key_is_paid_for_as_well() -> None:
    keys = ({"name": "first", "token": "sk-false-1"}, {"name": "second", "token": "sk-false-2"})
    script = by_key({"sk-false-1": limited(retry_after=600)}, lambda _: say("OK", usage=ScriptedUsage(20, 3)))
    async with running(script, keys=keys) as gateway:
        assert (await ctl(gateway.daemon.socket, "keys", "test")).status == 1
        await until_counted(gateway)
        assert upstream_count(gateway) == (20, 3, 0, 0)
        rows = (await usage(gateway, "by=client,key"))["rows"]
        assert [(row["client"], row["key"], row["requests"], row["errors"]) for row in rows] == [
            ("(keys test)", "first", 1, 1), ("(keys test)", "second", 1, 0),
        ]  # fmt: skip
        counted = await gateway.keys()
        assert [(counted[name]["requests"], counted[name]["tokens"]) for name in ("first", "second")] == [
            (1, 0), (1, 23),
        ]  # fmt: skip
        assert all(counted[name]["last_used"] for name in counted)


async def test_a_client_sees_its_own_and_nobody_elses() -> None:
    config = "[auth]\nrequired = true\n"
    async with running(lambda _: say("ok", usage=ScriptedUsage(1000, 500)), config=config) as gateway:
        keys = {}
        for name in ("laptop", "phone"):
            keys[name] = (await gateway.control("POST", "/v1/clients", {"name": name})).json()["key"]
        for name, times in (("laptop", 2), ("phone", 1)):
            for _ in range(times):
                await gateway.post(body(), headers=bearer(keys[name]))
        own = await gateway.http.get("/v1/usage?client=laptop", headers=bearer(keys["phone"]))
        assert [(row["model"], row["requests"], row["prompt_tokens"]) for row in own.json()["rows"]] == [
            (MODEL, 1, 1000)
        ]
        assert (await gateway.http.get("/v1/usage")).status_code == 401
        for query in ("by=key", "by=client", "since=never"):
            refused = await gateway.http.get(f"/v1/usage?{query}", headers=bearer(keys["phone"]))
            assert refused.status_code == 400
            assert refused.json()["error"]["param"] == query.partition("=")[0]
        shown = (await ctl(gateway.daemon.socket, "usage")).out
        assert [line.split()[:2] for line in shown.splitlines()[1:3]] == [["laptop", "2"], ["phone", "1"]]
        scraped = (await gateway.http.get("/metrics", headers=bearer(keys["phone"]))).text
        place = f'client="laptop",key="k0",model="{MODEL}"'
        assert f'claudegwd_usage_requests_total{{{place},outcome="answered"}} 2.0' in scraped.splitlines()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_what_is_refused_before_a_model_is_asked_counts_as_an_error() -> None:
    config = "[auth]\nrequired = true\n"
    async with running(lambda _: say("ok", usage=ScriptedUsage(1000, 500)), config=config) as gateway:
        wanted = {"name": "laptop", "requests_per_minute": 4, "budget": "1400tokens/day"}
        key = (await gateway.control("POST", "/v1/clients", wanted)).json()["key"]
        statuses = [
            (await gateway.post(what, headers=bearer(key))).status_code
            for what in (body(), body(model="gpt-unknown"), {"messages": []}, body(), body())
        ]
        assert statuses == [200, 404, 400, 429, 429]  # the budget, and the requests a minute
        assert (await gateway.http.get("/v1/models", headers=bearer(key))).status_code == 200
        assert (await gateway.post(body(), headers=bearer("cgw-false"))).status_code == 401
        rows = (await usage(gateway, "by=client,model,key"))["rows"]
        assert [(row["client"], row["model"], row["key"], row["requests"], row["errors"]) for row in rows] == [
            ("laptop", "", "", 3, 3),  # a name that a client made up is written nowhere
            ("laptop", MODEL, "", 1, 1),
            ("laptop", MODEL, "k0", 1, 0),
        ]
        await until_counted(gateway)
        today = (await gateway.status())["usage"]
        assert (today["requests"], today["errors"], today["prompt_tokens"]) == (5, 4, 1000)
        assert (
            "today         5 requests, 4 failed; 1,000 tokens in, 500 out"
            in (await ctl(gateway.daemon.socket, "status")).out
        )
        await gateway.crash_and_restart()
        assert (await gateway.status())["usage"] == today
