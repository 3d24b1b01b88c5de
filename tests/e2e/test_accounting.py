"""Three clients, two keys of which one is limited, and a budget of one cent: all who tell of it say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegwd.demo.replies import by_key, say
from claudegwd.demo.script import ScriptedUsage, limited
from tests.control_cli import ctl
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
        assert "; it resets 20" in response.json()["error"]["message"]
    return response.status_code


async def test_everybody_who_tells_of_it_says_the_same(tmp_path: Path) -> None:
    script = by_key({"sk-false-1": limited(retry_after=3000)}, lambda _: say("ok", usage=USAGE))
    config = f"[auth]\nrequired = true\n{telling(tmp_path)}"
    async with running(script, keys=KEYS, config=config) as gateway:
        socket = gateway.daemon.socket
        clients = {}
        for name, budget in (("laptop", ("--budget", "0.01usd/month")), ("phone", ()), ("desk", ())):
            clients[name] = (await ctl(socket, "clients", "create", name, *budget, "--json")).json["key"]
        assert [await ask(gateway, clients["laptop"]) for _ in range(5)] == [200, 200, 200, 429, 429]
        assert [await ask(gateway, clients[name]) for name in ("phone", "phone", "desk")] == [200] * 3
        assert (await ctl(socket, "keys", "disable", "second")).status == 0

        found = (await ctl(socket, "usage", "--json")).json
        rows = {row["client"]: (row["requests"], row["errors"], row["prompt_tokens"]) for row in found["rows"]}
        assert rows == {"laptop": (5, 2, 1200), "phone": (2, 0, 800), "desk": (1, 0, 400)}
        assert found["total"]["cost_usd"] == pytest.approx(6 * 0.0042)
        today = (await gateway.status())["usage"]
        assert {name: today[name] for name in found["total"]} == found["total"]
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
