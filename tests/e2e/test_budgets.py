"""Budgets of clients: refused once they are used up, with the reset; warned of before; remembered over restarts."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Wait
from tests.control_cli import ctl
from tests.e2e.harness import MODEL, Running, openai_client, running

pytestmark = pytest.mark.cli

# By the CLI's prices of this model, 3 and 15 dollars a million: 0.42 cents.
USAGE = ScriptedUsage(400, 200)


async def a_client(gateway: Running, budget: str) -> dict[str, str]:
    made = await ctl(gateway.daemon.socket, "clients", "create", "laptop", "--budget", budget, "--json")
    return {"authorization": f"Bearer {made.json['key']}"}


async def ask(gateway: Running, headers: dict[str, str], **more: Any) -> httpx.Response:
    body = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}], **more}
    response = await gateway.post(body, headers=headers)
    # The CLI says what an answer cost before it is at rest again.
    await gateway.until_workers(busy=0, settling=0)
    return response


def running_with_budgets() -> Any:
    return running(lambda _: say("ok", usage=USAGE), config="[auth]\nrequired = true\n")


async def test_a_cent_a_month() -> None:
    async with running_with_budgets() as gateway:
        headers = await a_client(gateway, "0.01usd/month")
        answers = [await ask(gateway, headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert "x-claudegw-budget" not in answers[0].headers
        # The header goes out before the answer's own cost is known.
        assert answers[2].headers["x-claudegw-budget"].startswith("84% of 0.01usd/month used; resets 20")
        error = answers[3].json()["error"]
        assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
        assert "it resets at 20" in error["message"]
        assert int(answers[3].headers["retry-after"]) > 0
        assert gateway.endpoint.count == 3

        key = headers["authorization"].removeprefix("Bearer ")
        async with openai_client(f"{gateway.base_url}/v1", key, max_retries=5) as client:
            with trio.fail_after(10), pytest.raises(openai.RateLimitError) as refused:
                await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
            assert refused.value.code == "insufficient_quota"

        await gateway.control("GET", "/v1/usage")  # writes what is pending, which else happens a second later
        await gateway.crash_and_restart()
        assert (await ask(gateway, headers)).status_code == 429
        listed = (await ctl(gateway.daemon.socket, "clients", "list")).out
        assert "0.01usd/month (0.0126 used)" in listed

        changed = await ctl(gateway.daemon.socket, "clients", "set", "laptop", "--budget", "1usd/month,900tokens/day")
        assert changed.status == 0, changed.err
        refusal = await ask(gateway, headers)
        assert (refusal.status_code, "900tokens/day" in refusal.text) == (429, True)
        assert (await ctl(gateway.daemon.socket, "clients", "set", "laptop", "--budget", "none")).status == 0
        assert (await ask(gateway, headers)).status_code == 200


# By the CLI's prices of this model, in dollars a million: 3 for what is read, 15 for what is written, of the cache a
# tenth and a quarter more.
PRICES = (3.0, 15.0, 0.3, 3.75)


@pytest.mark.parametrize(
    ("usage", "answers"),
    [
        (ScriptedUsage(10_000, 0), 1),  # 3 cents
        (ScriptedUsage(0, 700), 3),  # 1.05 cents each
        (ScriptedUsage(100, 100, 30_000, 4_000), 2),  # 2.58 cents each, most of it for the cache
        (ScriptedUsage(9_999, 0), 2),  # a hair below the bound
    ],
)
async def test_tokens_times_their_prices_reach_the_bound(usage: ScriptedUsage, answers: int) -> None:
    async with running_with_budgets() as gateway:
        gateway.endpoint.script = lambda _: say("ok", usage=usage)
        headers = await a_client(gateway, "0.03usd/day")
        statuses = [(await ask(gateway, headers)).status_code for _ in range(answers + 1)]
        assert statuses == [200] * answers + [429]
        tokens = (usage.input_tokens, usage.output_tokens, usage.cache_read, usage.cache_creation)
        spent = answers * sum(count * price for count, price in zip(tokens, PRICES, strict=True)) / 1e6
        (client,) = (await gateway.control("GET", "/v1/clients")).json()["clients"]
        assert client["budgets"][0]["used"] == pytest.approx(spent)


async def test_side_by_side_they_do_not_overshoot() -> None:
    async with running_with_budgets() as gateway:
        headers = await a_client(gateway, "0.0041usd/day")
        go_on = trio.Event()
        gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)), Wait(go_on), Text(("b",))), usage=USAGE)
        answers: list[httpx.Response] = []

        async def one() -> None:
            body = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
            answers.append(await gateway.post(body, headers=headers))
            go_on.set()  # the first one to be answered is a refusal

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(one)
        assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429]
        refused = answers[0]
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["retry-after"] == "1"


async def test_who_leaves_before_the_end_has_spent_it_all_the_same() -> None:
    async with running_with_budgets() as gateway:
        headers = await a_client(gateway, "1100tokens/day")
        never = trio.Event()
        gateway.endpoint.script = lambda _: ScriptedReply(
            (Text(("a" * 4000,)), Wait(never)), usage=ScriptedUsage(200, 1000)
        )
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        async with gateway.http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
            async for line in response.aiter_lines():
                if "aaaa" in line:
                    break
        await gateway.until_workers(busy=0, settling=0)
        never.set()
        assert (await ask(gateway, headers)).status_code == 429


@pytest.mark.parametrize("budget", ["20", "20eur/month", "20usd/year", "0usd/day"])
async def test_a_wrong_budget_names_the_right_form(gateway: Running, budget: str) -> None:
    refused = await ctl(gateway.daemon.socket, "clients", "create", "laptop", "--budget", budget)
    assert refused.status == 1
    assert "use " in refused.err
    assert (await gateway.control("GET", "/v1/clients")).json()["clients"] == []
