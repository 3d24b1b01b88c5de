"""What the upstream says of its limits with every answer."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import Answer, RecordedRequest, Wait
from tests.control_cli import ctl
from tests.e2e.harness import Running, running
from tests.e2e.test_login import without_keys

pytestmark = pytest.mark.cli


def limits(five: float, week: float) -> dict[str, str]:
    reset = str(int(time.time()) + 3600)
    start = "anthropic-ratelimit-unified"
    return {
        f"{start}-status": "allowed", f"{start}-reset": reset, f"{start}-representative-claim": "five_hour",
        f"{start}-5h-status": "allowed", f"{start}-5h-utilization": str(five), f"{start}-5h-reset": reset,
        f"{start}-7d-status": "allowed", f"{start}-7d-utilization": str(week), f"{start}-7d-reset": reset,
    }  # fmt: skip


async def shares(gateway: Running) -> dict[tuple[str, str], float]:
    return {(row["key"], row["window"]): row["used"] for row in (await gateway.status())["windows"]}


async def test_of_a_key() -> None:
    async with running(lambda _: replace(say("ok"), headers=limits(0.62, 0.31))) as gateway:
        await gateway.ask("hi")

        async def told() -> bool:
            return await shares(gateway) == {("k0", "5h"): 0.62, ("k0", "7d"): 0.31}

        await gateway.until(told)
        status = (await ctl(gateway.daemon.socket, "status")).out
        assert "limits        k0  5 h: 62% used, resets " in status
        assert "; week: 31% used, resets " in status
        assert "5 h: 62% used" in (await ctl(gateway.daemon.socket, "usage", "--windows")).out
        scraped = (await gateway.http.get("/metrics")).text
        assert 'claudegwd_limit_window_used{key="k0",window="5h"} 0.62' in scraped


async def test_of_a_login() -> None:
    async with without_keys("CLAUDE_CODE_OAUTH_TOKEN") as gateway:
        gateway.endpoint.script = lambda _: replace(say("ok"), headers=limits(0.62, 0.31))
        await gateway.ask("hi")

        async def told() -> bool:
            return await shares(gateway) == {("(environment)", "5h"): 0.62, ("(environment)", "7d"): 0.31}

        await gateway.until(told)


async def test_keys_by_headroom() -> None:
    keys = ({"name": "first", "token": "sk-false-1"}, {"name": "second", "token": "sk-false-2"})
    used = {"sk-false-1": 0.8, "sk-false-2": 0.2}

    def script(request: RecordedRequest) -> Answer:
        return replace(say("ok"), headers=limits(used[request.key or ""], 0.1))

    async with running(script, keys=keys, config='[keys]\norder = "headroom"\n') as gateway:
        await gateway.ask("one")

        async def told() -> bool:
            return ("first", "5h") in await shares(gateway)

        await gateway.until(told)
        await gateway.ask([{"role": "user", "content": "Another conversation."}])
        assert [request.key for request in gateway.upstream()] == ["sk-false-1", "sk-false-2"]
        assert (await gateway.keys())["second"]["state"] == "active"


async def test_a_late_answer_of_a_replaced_token_says_nothing_of_the_new_one() -> None:
    go = trio.Event()
    late = replace(say("late"), headers=limits(0.95, 0.9), before=(Wait(go),))

    def script(request: RecordedRequest) -> Answer:
        return late if request.key == "sk-false-1" else replace(say("ok"), headers=limits(0.1, 0.2))

    async with running(script, keys=({"name": "first", "token": "sk-false-1"},)) as gateway:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "hi")
            await gateway.until(partial(_asked, gateway))
            body = {"name": "first", "token": "sk-false-2", "base_url": gateway.endpoint.base_url, "replace": True}
            assert (await gateway.control("POST", "/v1/keys", body)).status_code == 201
            go.set()
        await gateway.until_workers(busy=0)
        assert await shares(gateway) == {}
        await gateway.ask("again")
        await gateway.until(lambda: _told(gateway, {("first", "5h"): 0.1, ("first", "7d"): 0.2}))


async def _asked(gateway: Running) -> bool:
    return len(gateway.upstream()) == 1


async def _told(gateway: Running, wanted: dict[tuple[str, str], float]) -> bool:
    return await shares(gateway) == wanted
