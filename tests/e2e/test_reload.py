"""Reloading: taken at once and whole, or not at all."""

from __future__ import annotations

import signal
from typing import Any

import httpx
import pytest
import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import echo, say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, Text, Wait
from tests.control_cli import ctl
from tests.e2e.harness import GOOD_KEY, MODEL, Daemon, Running, as_messages, running, started

pytestmark = pytest.mark.cli

OTHER_KEY = "sk-false-other-key-0002"


async def test_what_changed_is_answered_and_holds_at_once() -> None:
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        assert (await gateway.refused("Hi.", model="nickname")).status_code == 404
        gateway.daemon.write_config('[claude]\naliases = { nickname = "sonnet" }\n[limits]\nrequests_per_minute = 3')
        answer = (await gateway.control("POST", "/v1/reload")).json()
        changed = {change["key"] for change in answer["changes"]}
        assert changed == {"claude.aliases", "limits.requests_per_minute"}
        status = await gateway.status()
        assert status["config_generation"] == answer["generation"] == 2
        assert status["last_reload"]["ok"] is True
        named = await gateway.ask("Hi.", model="nickname")
        assert named.text == "Hi."
        assert named.headers["x-ratelimit-limit-requests"] == "3"


async def test_the_size_of_bodies_and_messages_changes_with_a_reload() -> None:
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        for most, status in ((2000, 413), (34_000_000, 200)):
            gateway.daemon.write_config(f"[server]\nmax_body_bytes = {most}\n")
            assert (await gateway.control("POST", "/v1/reload")).status_code == 200
            content = "x" * (most - 1000 if status == 200 else most)
            asked = {"model": MODEL, "input": content}
            answer = await gateway.http.post("/v1/responses/input_tokens", json=asked)
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("key", "value"), [("default_model", "sonet"), ("aliases", '{ "gpt-4o" = "sonet" }')])
async def test_unknown_models_are_noted(key: str, value: str) -> None:
    text = f'claude.{key} names a model that is not offered, "sonet": use sonnet'
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        done = await ctl(gateway.daemon.socket, "config", "set", f"claude.{key}", value)
        assert (done.status, text in done.err) == (0, True)
        reloaded = await gateway.control("POST", "/v1/reload")
        assert any(text in warning for warning in reloaded.json()["warnings"])
        assert text.replace('"', '\\"') in gateway.log


async def test_an_unknown_fallback_is_neither_written_nor_loaded() -> None:
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        before = gateway.daemon.config_file.read_text()
        done = await ctl(gateway.daemon.socket, "config", "set", "claude.fallback", '{ sonnet = ["opos"] }')
        assert (done.status, "claude.fallback names a model that is not offered" in done.err) == (1, True)
        assert gateway.daemon.config_file.read_text() == before
        gateway.daemon.write_config('[claude]\nfallback = { sonnet = ["opos"] }\n')
        assert (await gateway.control("POST", "/v1/reload")).status_code == 422


BROKEN = {
    "no toml": "[server\n",
    "an unknown key": "[server]\nbinds = []\n",
    "a wrong type": '[workers]\nmax = "many"\n',
    "what would fail after a restart": '[control]\ngroup = "no-such-group"\n',
}


async def test_a_broken_configuration_changes_nothing_and_says_why() -> None:
    async with running(echo()) as gateway:
        good = gateway.daemon.config_file.read_text()
        for text in BROKEN.values():
            gateway.daemon.config_file.write_text(text)
            response = await gateway.control("POST", "/v1/reload")
            assert 400 <= response.status_code < 500
            assert "config.toml" in response.text
            status = await gateway.status()
            assert status["config_generation"] == 1
            assert status["last_reload"]["ok"] is False
            assert (await gateway.http.get("/readyz")).status_code == 200
        gateway.daemon.config_file.write_text(good)
        keys = gateway.daemon.keys_file
        keys.write_text('{"claude_api_keys": [{"name": "a"}]}')
        assert 400 <= (await gateway.control("POST", "/v1/reload")).status_code < 500
        assert (await gateway.ask("Still with the old key?")).text == "Still with the old key?"
        assert {request.key for request in gateway.upstream()} == {GOOD_KEY}


async def test_sighup_reloads_and_survives_a_broken_file() -> None:
    async with running(echo()) as gateway:

        async def generation_is_2() -> bool:
            return bool((await gateway.status())["config_generation"] == 2)

        async def was_refused() -> bool:
            last = (await gateway.status())["last_reload"]
            return last is not None and not last["ok"]

        gateway.daemon.write_config("[limits]\nqueue = 7")
        gateway.daemon.signal(signal.SIGHUP)
        await gateway.until(generation_is_2)
        gateway.daemon.config_file.write_text("[server\n")
        gateway.daemon.signal(signal.SIGHUP)
        await gateway.until(was_refused)
        assert (await gateway.http.get("/livez")).status_code == 200


async def test_keys_come_and_go_under_a_running_answer() -> None:
    release = trio.Event()

    def script(request: RecordedRequest) -> ScriptedReply:
        if "Long" in str(request.body["messages"]):
            return ScriptedReply((Text(("begun ",)), Wait(release), Text(("and ended",))))
        return say("short")

    async with running(script, keys=[GOOD_KEY]) as gateway:
        wanted: Any = {"model": MODEL, "messages": as_messages("Long."), "stream": True}
        said = ""
        async for chunk in await gateway.client.chat.completions.create(**wanted):
            said += chunk.choices[0].delta.content or ""
            if said == "begun " and not release.is_set():
                gateway.daemon.write_keys([{"name": "other", "token": OTHER_KEY}])
                answer = (await gateway.control("POST", "/v1/reload")).json()
                assert (answer["keys"]["added"], answer["keys"]["removed"]) == (["other"], ["k0"])
                assert (await gateway.ask("Short.")).text == "short"
                release.set()
        assert said == "begun and ended"
        assert [request.key for request in gateway.upstream()] == [GOOD_KEY, OTHER_KEY]


@pytest.mark.parametrize("carrier", ["auto", "transcript"])
async def test_without_the_last_key_the_environments_takes_over_where_an_answer_was_under_way(carrier: str) -> None:
    release = trio.Event()

    def script(request: RecordedRequest) -> ScriptedReply:
        if "Long" in str(request.messages[-1]):
            return ScriptedReply((Text(("begun ",)), Wait(release), Text(("and ended",))))
        return say("short")

    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(script)
        upstream = await nursery.start(endpoint.serve)
        env = {"ANTHROPIC_API_KEY": OTHER_KEY, "ANTHROPIC_BASE_URL": upstream, "CLAUDEGWD_WORKERS__CARRIER": carrier}
        async with started(Daemon(upstream, [GOOD_KEY], "", env), endpoint) as gateway:
            wanted: Any = {"model": MODEL, "messages": as_messages("Long."), "stream": True}
            async for _ in await gateway.client.chat.completions.create(**wanted):
                if not release.is_set():
                    gateway.daemon.keys_file.write_text('{"claude_api_keys": []}')
                    await gateway.control("POST", "/v1/reload")
                    release.set()
            assert (await gateway.ask("Short.")).text == "short"
            assert [request.key for request in gateway.upstream()] == [GOOD_KEY, OTHER_KEY]
        nursery.cancel_scope.cancel()


async def test_who_asks_while_all_keys_are_disabled_is_told_so() -> None:
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        assert (await gateway.control("PATCH", "/v1/keys/k0", {"status": "disabled"})).status_code == 200
        error = await gateway.refused("Anybody?")
        assert (error.status_code, error.code) == (502, "upstream_credentials_exhausted")
        assert "every upstream key of this gateway is disabled" in error.message
        assert error.response.headers["x-should-retry"] == "false"
        await gateway.control("PATCH", "/v1/keys/k0", {"status": "active"})
        assert (await gateway.ask("Anybody?")).text == "Anybody?"


ONE_WORKER = "[workers]\nmax = 1\nspares = 0\n"
BY_TRANSCRIPT = 'carrier = "transcript"\n'
SEARCHES = '[claude]\nserver_tools = ["web_search"]\n'


async def answered_after_a_reload(gateway: Running, path: str, body: Any, config: str) -> httpx.Response:
    """The answer to a request that waits for the only worker while this configuration takes effect."""
    release = trio.Event()
    answers = []

    def script(request: RecordedRequest) -> ScriptedReply:
        return ScriptedReply((Wait(release),)) if "Long" in str(request.messages) else say("short")

    async def ask() -> None:
        answers.append(await gateway.post({"model": MODEL, **body}, path, headers={"anthropic-version": "2023-06-01"}))

    async def waits() -> bool:
        return bool((await gateway.status())["requests"]["queued"] == 1)

    gateway.endpoint.script = script
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.post, {"model": MODEL, "messages": as_messages("Long.")})
        await gateway.until_workers(busy=1)
        nursery.start_soon(ask)
        await gateway.until(waits)
        gateway.daemon.write_config(config)
        assert (await gateway.control("POST", "/v1/reload")).status_code == 200
        release.set()
    return answers[0]


@pytest.mark.parametrize("now_whole", [False, True])
async def test_a_waiting_request_is_sent_as_is_right_for_the_new_carrier(now_whole: bool) -> None:
    limits = {"max_tokens": 7, "temperature": 0.25, "stop_sequences": ["END"]}
    body = {**limits, "messages": as_messages("Short."), "service_tier": "auto"}
    before, after = ONE_WORKER, ONE_WORKER + BY_TRANSCRIPT
    if now_whole:
        before, after = after, before
    async with running(echo(), config=before) as gateway:
        answer = await answered_after_a_reload(gateway, "/v1/messages", body, after)
        assert answer.json()["content"][0]["text"] == "short"
        assert answer.headers.get("x-claudegw-ignored") == (None if now_whole else "service_tier")
        sent = gateway.upstream()[-1].body
        assert {name: sent.get(name) for name in limits} == limits
        assert sent.get("service_tier") == ("auto" if now_whole else None)


async def test_a_waiting_request_is_refused_if_the_new_carrier_cannot_send_it() -> None:
    body = {"max_tokens": 7, "messages": as_messages("Short."), "container": "c"}
    async with running(echo(), config=ONE_WORKER) as gateway:
        answer = await answered_after_a_reload(gateway, "/v1/messages", body, ONE_WORKER + BY_TRANSCRIPT)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        assert "container" in answer.json()["error"]["message"]
        assert len(gateway.upstream()) == 1
        await gateway.until_workers(busy=0)
        assert (await gateway.ask("Short.")).text == "short"


async def test_a_waiting_request_may_lose_a_search_but_is_told_so() -> None:
    body = {"input": "Short.", "tools": [{"type": "web_search"}]}
    async with running(echo(), config=ONE_WORKER + SEARCHES) as gateway:
        config = ONE_WORKER + BY_TRANSCRIPT + SEARCHES
        answer = await answered_after_a_reload(gateway, "/v1/responses", body, config)
        assert (answer.status_code, answer.headers["x-claudegw-ignored"]) == (200, "tools.web_search")


async def test_a_watched_keys_file_is_taken_by_itself() -> None:
    async with running(echo(), keys=[GOOD_KEY], config="[keys]\nwatch = true") as gateway:
        gateway.daemon.write_keys([{"name": "other", "token": OTHER_KEY}])

        async def taken() -> bool:
            return list(await gateway.keys()) == ["other"]

        await gateway.until(taken)
        assert (await gateway.ask("Under the new one.")).text == "Under the new one."
        assert [request.key for request in gateway.upstream()] == [OTHER_KEY]


async def test_a_disabled_key_is_not_used_and_a_conversation_moves_on() -> None:
    async with running(echo(), keys=[GOOD_KEY, OTHER_KEY]) as gateway:
        messages = as_messages("one")
        first = await gateway.ask(messages)
        assert (await gateway.control("PATCH", "/v1/keys/k0", {"status": "disabled"})).status_code == 200
        messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "two"}]
        assert (await gateway.ask(messages)).text == "two"
        assert [request.key for request in gateway.upstream()] == [GOOD_KEY, OTHER_KEY]
        assert (await gateway.keys())["k0"]["state"] == "disabled"


async def test_a_lowered_bound_on_workers_holds_as_they_become_free() -> None:
    async with running(echo(), config="[workers]\nmax = 3") as gateway:
        for number in range(3):
            await gateway.ask(f"Conversation {number}.")
        gateway.daemon.write_config("[workers]\nmax = 1")
        await gateway.control("POST", "/v1/reload")

        async def one_is_left() -> bool:
            return len(await gateway.workers()) == 1

        await gateway.until(one_is_left)


async def test_a_reload_that_waits_for_its_cli_does_not_delay_a_stop() -> None:
    async with running(echo(), keys=[GOOD_KEY]) as gateway:
        asked, hanging = gateway.home / "asked", gateway.home / "hanging"
        hanging.write_text(f"#!/bin/sh\n: > {asked}\nexec sleep 1000\n")
        hanging.chmod(0o755)
        gateway.daemon.write_config(f'[claude]\nbinary = "{hanging}"\n')
        process = gateway.daemon.process
        assert process is not None
        process.send_signal(signal.SIGHUP)
        await gateway.until(trio.Path(asked).exists)
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(15):  # the CLI would have 30 s
            assert await trio.to_thread.run_sync(process.wait) == 0
