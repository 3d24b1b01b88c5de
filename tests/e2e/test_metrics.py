"""/metrics of a daemon that has worked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import openai
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from claudegwd.demo.replies import by_key, echo, say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Wait
from tests.e2e.harness import MODEL, Running, running, secret

pytestmark = pytest.mark.cli

DASHBOARD = Path(__file__).parents[2] / "packaging" / "grafana" / "claudegwd.json"

Samples = dict[tuple[str, ...], float]


async def scraped(gateway: Running, **headers: str) -> Samples:
    """Name and label values of every sample."""
    response = await gateway.http.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_what_was_asked_is_counted(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("ok", usage=ScriptedUsage(10, 5))
    before = await scraped(gateway)
    await gateway.ask(secret("one"))
    await gateway.stream("two")
    await gateway.client.completions.create(model=MODEL, prompt="three")
    with pytest.raises(openai.NotFoundError):
        await gateway.ask("four", model=secret("model"))
    assert (await gateway.http.get(f"/{secret('path')}")).status_code == 404
    await gateway.until_workers(busy=0, settling=0)  # the last answer's CLI settles
    after = await scraped(gateway)

    def new(*sample: str) -> float:
        return after.get(sample, 0) - before.get(sample, 0)

    chat = ("chat", "anthropic", MODEL)
    assert new("gen_ai_server_request_duration_seconds_count", "", *chat) == 2
    assert new("gen_ai_server_request_duration_seconds_count", "", "text_completion", *chat[1:]) == 1
    assert new("gen_ai_server_time_to_first_token_seconds_count", *chat) == 2
    assert new("gen_ai_client_token_usage_sum", *chat, "input") == 20
    assert new("gen_ai_client_token_usage_sum", *chat, "output") == 10
    assert new("claudegwd_overhead_seconds_count", "question") == 3
    assert new("claudegwd_overhead_seconds_count", "answer") == 1
    assert new("claudegwd_http_requests_total", "POST", "/v1/chat/completions", "200") == 2
    assert new("claudegwd_http_requests_total", "POST", "/v1/chat/completions", "404") == 1
    assert new("claudegwd_http_requests_total", "GET", "unknown", "404") == 1
    assert new("claudegwd_errors_total", "model_not_found") == 1
    assert sum(new("claudegwd_workers_had_total", how) for how in ("spare", "cold", "warm")) == 3
    assert after["claudegwd_workers", "idle"] >= 1
    assert after["claudegwd_workers_resident_memory_bytes",] > 50e6
    assert after["claudegwd_keys", "active"] == 1
    assert after["claudegwd_ready",] == 1
    assert after["claudegwd_requests_active",] == 1
    assert not any("SECRET" in label for sample in after for label in sample)

    async def lag_measured() -> bool:  # once in a while, and the daemon may be younger
        return (await scraped(gateway))["claudegwd_event_loop_lag_seconds_count",] > 0

    await gateway.until(lag_measured)


async def test_the_dashboard_for_grafana_names_what_there_is(gateway: Running) -> None:
    board = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    asked += [variable["definition"] for variable in board["templating"]["list"] if "definition" in variable]
    named = {name for text in asked for name in re.findall(r"\b(?:claudegwd|gen_ai)_\w+", text)}
    assert len(named) > 15

    await gateway.ask("hi")
    families = list(text_string_to_metric_families((await gateway.http.get("/metrics")).text))
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    there = {f"{family.name}{suffix}" for family in families for suffix in suffixes.get(family.type, ("",))}
    assert named <= there

    # What is empty so far (limits, rotations of keys that there are not) has no labels that could be looked at.
    labels = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    for text in asked:
        for name, matchers in re.findall(r"\b((?:claudegwd|gen_ai)_\w+)\{([^}]*)\}", text):
            used = set(re.findall(r"(\w+)(?:=|!)", matchers)) - {"instance"}
            assert used <= labels.get(name, used), text
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"]) == len({panel["id"] for panel in board["panels"]})


async def test_rotations_and_exits_are_counted() -> None:
    async with running(
        by_key({"sk-false-good-key": echo()}),
        keys=["sk-false-dead-key", "sk-false-good-key"],
        config="[workers]\nmax = 1\nspares = 0\n",
    ) as gateway:
        await gateway.ask("one")
        await gateway.ask([{"role": "system", "content": "For another process."}, {"role": "user", "content": "two"}])
        await gateway.until_workers(idle=1, closing=0)
        found = await scraped(gateway)
        assert found["claudegwd_key_rotations_total", "authentication"] == 1
        assert found["claudegwd_key_rotations_total", "asked"] == 0
        assert found["claudegwd_attempts_failed_total", "authentication"] == 1
        assert found["claudegwd_keys", "invalid"] == 1
        assert found["claudegwd_cli_exits_total", "ended"] == 1
        assert found["claudegwd_orphans_reaped_total",] == 0


async def test_the_queue_is_counted() -> None:
    async with running(lambda _: say("a", "b", gap=0.2), config="[workers]\nmax = 1\nspares = 0\n") as gateway:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "one")
            nursery.start_soon(gateway.ask, "two")
        found = await scraped(gateway)
        assert found["claudegwd_queue_wait_seconds_count",] == 1
        assert found["claudegwd_queue_wait_seconds_sum",] > 0.05
        assert found["claudegwd_queue_length",] == 0


async def test_a_client_that_goes_away_is_counted_as_that(gateway: Running) -> None:
    never = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("begin",)), Wait(never)))
    before = await scraped(gateway)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Begin."}], "stream": True}
    async with gateway.http.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if "begin" in line:
                break
    gone = ("gen_ai_server_request_duration_seconds_count", "client_gone", "chat", "anthropic", MODEL)

    async def counted() -> bool:
        return (await scraped(gateway)).get(gone, 0) == before.get(gone, 0) + 1

    await gateway.until(counted)


async def test_it_needs_a_key_where_keys_are_needed() -> None:
    async with running(
        lambda _: say("ok"), config="[auth]\nrequired = true\n", env={"API_KEYS": "sk-false-client-key-0001"}
    ) as gateway:
        refused = await gateway.http.get("/metrics")
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert await scraped(gateway, authorization="Bearer sk-false-client-key-0001")
