"""Keys of two upstreams: while one does not answer, requests go to the other one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import echo, say
from claudegwd.demo.script import Answer, Drop, ScriptedReply, Text, overloaded
from tests.control_cli import ctl
from tests.e2e.harness import Running, running

pytestmark = pytest.mark.cli

NOWHERE = "http://127.0.0.1:1"
HERE: dict[str, str] = {"token": "sk-false-here"}
LOST: dict[str, str] = {"token": "sk-false-lost", "base_url": NOWHERE}


def failed_attempts(gateway: Running) -> int:
    return gateway.log.count("an attempt failed")


async def test_a_request_moves_to_the_other_upstream_without_a_pause() -> None:
    async with running(echo(), keys=[LOST, HERE]) as gateway:
        conversation: list[dict[str, Any]] = [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ]
        assert (await gateway.ask(conversation)).text == "second"
        [request] = gateway.upstream()
        assert request.key == HERE["token"]
        assert [message["role"] for message in request.body["messages"]] == ["user", "assistant", "user"]
        assert [row["state"] for row in (await gateway.keys()).values()] == ["active", "ready"]
        assert failed_attempts(gateway) == 1
        chunks = await gateway.stream("streamed")
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "streamed"
        assert failed_attempts(gateway) == 2

        # Known now: the next ones do not try it.
        assert [(await gateway.ask(f"then {number}")).text for number in range(3)] == ["then 0", "then 1", "then 2"]
        assert failed_attempts(gateway) == 2
        assert gateway.log.count("the upstream does not answer") == 1
        assert "upstream=127.0.0.1:1" in gateway.log
        listed = await ctl(gateway.daemon.socket, "keys", "list")
        assert "active, no answer" in listed.out
        assert "has not answered for" in (await ctl(gateway.daemon.socket, "status")).out
        assert (await gateway.status())["state"] == "ready"


async def test_an_upstream_that_answers_again_is_used_again() -> None:
    relay = ScriptedEndpoint(lambda _: overloaded())
    async with trio.open_nursery() as nursery:
        away = {"token": "sk-false-away", "base_url": await nursery.start(relay.serve)}
        async with running(echo(), keys=[away, HERE]) as gateway:
            for _ in range(3):
                await gateway.ask("Busy?")
            assert (relay.count, gateway.endpoint.count) == (2, 3)
            relay.script = echo()
            assert (await gateway.control("POST", "/v1/keys/k0/test")).json()["ok"]
            assert "the upstream answers again" in gateway.log
            assert (await gateway.ask("And now?")).text == "And now?"
            assert (relay.count, gateway.endpoint.count) == (4, 3)
        nursery.cancel_scope.cancel()


async def test_if_none_answers_each_is_asked_twice_and_the_gateway_is_degraded() -> None:
    relay = ScriptedEndpoint(lambda _: overloaded())
    async with trio.open_nursery() as nursery:
        away = {"token": "sk-false-away", "base_url": await nursery.start(relay.serve)}
        async with running(lambda _: overloaded(), keys=[away, HERE]) as gateway:
            error = await gateway.refused("Anybody?")
            assert (error.status_code, error.code) == (503, "upstream_unavailable")
            assert (relay.count, gateway.endpoint.count) == (2, 2)
            assert (await gateway.status())["state"] == "ready"  # one request may be the cause itself
            await gateway.refused("And now?")
            status = await gateway.status()
            assert (status["state"], "has not answered since 20" in status["problem"]) == ("degraded", True)
            # Still tried, so a load balancer may send more.
            ready, health = await gateway.http.get("/readyz"), await gateway.http.get("/health")
            assert (ready.status_code, health.json()["status"]) == (200, "degraded")
            relay.script = gateway.endpoint.script = echo()
            assert (await gateway.ask("Back?")).text == "Back?"
            assert (await gateway.status())["state"] == "ready"
        nursery.cancel_scope.cancel()


async def test_all_attempts_are_made_by_one_process() -> None:
    answers: Iterator[Answer] = iter([overloaded(), say("the third")])
    async with running(lambda _: next(answers), keys=[LOST, HERE]) as gateway:
        assert (await gateway.ask("Who answers?")).text == "the third"
        assert failed_attempts(gateway) == 3  # there, here, there again, and here
        assert sum(row["uses"] for row in await gateway.workers()) == 1


async def test_an_answer_that_breaks_off_before_its_first_token_moves_too() -> None:
    relay = ScriptedEndpoint(lambda _: ScriptedReply((Text(()), Drop())))
    async with trio.open_nursery() as nursery:
        away = {"token": "sk-false-away", "base_url": await nursery.start(relay.serve)}
        async with running(echo(), keys=[away, HERE]) as gateway:
            assert (await gateway.ask("Whole?")).text == "Whole?"
            assert (relay.count, gateway.endpoint.count) == (1, 1)
        nursery.cancel_scope.cancel()
