"""Three clients, two keys of which one is limited, and a budget of one cent: all who tell of it say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import by_key, say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Wait, limited
from tests.control_cli import ctl
from tests.dashboard_process import dashboard
from tests.e2e.harness import MODEL, Running, running
from tests.e2e.test_notify import telling, told, until_told

pytestmark = pytest.mark.cli

KEYS = ({"name": "first", "token": "sk-false-1"}, {"name": "second", "token": "sk-false-2"})
# By the CLI's prices of this model, 3 and 15 dollars a million: 0.42 cents an answer.
USAGE = ScriptedUsage(400, 200)


async def ask(gateway: Running, key: str) -> int:
    body = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
    response = await gateway.post(body, headers={"authorization": f"Bearer {key}"})
    # The CLI says what an answer cost before it is at rest again.
    await gateway.until_workers(busy=0, settling=0)
    if response.status_code == 429:
        assert "; it resets at 20" in response.json()["error"]["message"]
    return response.status_code


async def everywhere(gateway: Running) -> dict[str, dict[str, Any]]:
    """The sums of the present day as each shows them to a person; the daemon has not run for longer."""
    socket = gateway.daemon.socket
    async with dashboard(socket) as started:
        visitor = await trio.to_thread.run_sync(started.enter)
        state = (await trio.to_thread.run_sync(visitor.get, "api/state")).json()
        chart = (await trio.to_thread.run_sync(visitor.get, "api/usage?period=week&by=key")).json()
    return {
        "status": (await gateway.status())["usage"],
        "top": (await ctl(socket, "top", "--json")).json["status"]["usage"],
        "the page": state["status"]["usage"],
        "its chart": chart["total"],
        "its bars": {**chart["total"], "requests": sum(row["requests"] for row in chart["rows"])},
        "usage by route": (await ctl(socket, "usage", "--by", "route,how", "--json")).json["total"],
    }


async def test_everybody_who_looks_sees_the_same_requests() -> None:
    go = trio.Event()
    script = ScriptedReply((Text(("a",)), Wait(go)))
    async with running(lambda _: script, keys=KEYS) as gateway, trio.open_nursery() as nursery:
        nursery.start_soon(gateway.stream, "hi")

        async def is_streaming() -> bool:
            rows = (await gateway.control("GET", "/v1/requests")).json()["requests"]
            return [row["state"] for row in rows] == ["streaming"]

        await gateway.until(is_streaming)
        (row,) = (await gateway.control("GET", "/v1/requests")).json()["requests"]
        (of_top,) = (await ctl(gateway.daemon.socket, "top", "--json")).json["requests"]
        async with dashboard(gateway.daemon.socket) as started:
            visitor = await trio.to_thread.run_sync(started.enter)
            (of_page,) = (await trio.to_thread.run_sync(visitor.get, "api/state")).json()["requests"]
        for name in ("request_id", "client", "model", "route", "key", "how", "worker", "output_tokens"):
            assert of_top[name] == of_page[name] == row[name]
        go.set()


@pytest.mark.parametrize("stream", [True, False])
async def test_the_first_token_is_when_it_came_streamed_or_not(stream: bool) -> None:
    go = trio.Event()
    async with running(lambda _: ScriptedReply((Text(("a",)), Wait(go), Text(("b",))))) as gateway:
        row: dict[str, Any] = {}

        async def has_spoken() -> bool:
            nonlocal row
            rows = (await gateway.control("GET", "/v1/requests")).json()["requests"]
            row = rows[0] if rows else {}
            return row.get("first_token_seconds") is not None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.stream if stream else gateway.ask, "hi")
            await gateway.until(has_spoken)
            seen = (await ctl(gateway.daemon.socket, "top", "--json")).json["requests"]  # takes its time
            assert [each["first_token_seconds"] for each in seen] == [row["first_token_seconds"]]
            go.set()
        first = row["first_token_seconds"]
        total = (await ctl(gateway.daemon.socket, "usage", "--json")).json["total"]
        assert total["first_token_ms"] == pytest.approx(first * 1000, abs=6)  # hundredths of a second there
        metrics = (await gateway.http.get("/metrics")).text
        (measured,) = re.findall(r"^gen_ai_server_time_to_first_token_seconds_sum\{.*\} (\S+)$", metrics, re.MULTILINE)
        assert float(measured) == pytest.approx(first, abs=0.006)


async def test_everybody_who_tells_of_it_says_the_same(tmp_path: Path) -> None:
    script = by_key({"sk-false-1": limited(retry_after=3000)}, lambda _: say("ok", usage=USAGE))
    config = f"[auth]\nrequired = true\n{telling(tmp_path)}"
    async with running(script, keys=KEYS, config=config) as gateway:
        socket = gateway.daemon.socket
        clients = {}
        for name, budget in (("laptop", ("--budget", "0.01usd/month")), ("phone", ()), ("desk", ())):
            clients[name] = (await ctl(socket, "clients", "create", name, *budget, "--json")).json["key"]
        assert [await ask(gateway, clients["laptop"]) for _ in range(3)] == [200] * 3
        await until_told(gateway, tmp_path, [("budget_reached", "laptop")])  # by the answer that reached it
        assert [await ask(gateway, clients["laptop"]) for _ in range(2)] == [429] * 2
        assert [await ask(gateway, clients[name]) for name in ("phone", "phone", "desk")] == [200] * 3
        assert (await ctl(socket, "keys", "disable", "second")).status == 0

        found = (await ctl(socket, "usage", "--json")).json
        rows = {row["client"]: (row["requests"], row["errors"], row["prompt_tokens"]) for row in found["rows"]}
        assert rows == {"laptop": (5, 2, 1200), "phone": (2, 0, 800), "desk": (1, 0, 400)}
        assert found["total"]["cost_usd"] == pytest.approx(6 * 0.0042)
        assert (await gateway.status())["usage_lost"] == 0
        own = []
        for key in clients.values():
            answer = await gateway.http.get("/v1/usage", headers={"authorization": f"Bearer {key}"})
            own.append(answer.json()["total"])
        for name in ("requests", "errors", "prompt_tokens", "completion_tokens"):
            assert sum(total[name] for total in own) == found["total"][name]
        for whose, told_of in (await everywhere(gateway)).items():
            assert {name: told_of[name] for name in found["total"]} == found["total"], whose
        headers = {"authorization": f"Bearer {clients['phone']}"}
        scraped = (await gateway.http.get("/metrics", headers=headers)).text
        tokens = [line for line in scraped.splitlines() if line.startswith("claudegwd_usage_tokens_total")]
        prompts = [float(line.rpartition(" ")[2]) for line in tokens if 'kind="prompt"' in line]
        assert sum(prompts) == found["total"]["prompt_tokens"]

        # Disabled by a person, the last one: the first is limited.
        await until_told(gateway, tmp_path, [("budget_reached", "laptop"), ("keys_gone", "second")])
        assert told(tmp_path)[0]["until"].endswith("-01T00:00:00Z")
        last = (await ctl(socket, "audit", "--json")).json["changes"][-1]
        assert (last["what"], last["fields"]) == (
            "key status changed", {"key": "second", "before": "active", "after": "disabled"},
        )  # fmt: skip
        assert last["user"]
        assert last["pid"]
