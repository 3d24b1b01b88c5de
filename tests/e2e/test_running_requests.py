"""What is seen of requests while they run."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import trio

from claudegwd.demo.replies import echo
from claudegwd.demo.script import Answer, RecordedRequest, Script, ScriptedReply, ScriptedUsage, Text, Wait, limited
from tests.e2e.harness import MODEL, Running, running, secret

pytestmark = pytest.mark.cli

CHAT = "/v1/chat/completions"
WORDS = ("words " * 20, "words " * 20)
TOKENS = len("".join(WORDS)) // 4  # the least that can be estimated


async def rows(gateway: Running) -> list[dict[str, Any]]:
    response = await gateway.control("GET", "/v1/requests")
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["requests"]
    return found


async def until_states(gateway: Running, *states: str) -> list[dict[str, Any]]:
    """Wait until the requests under way are in these states, the oldest first."""
    found: list[dict[str, Any]] = []

    async def reached() -> bool:
        found[:] = await rows(gateway)
        return [row["state"] for row in found] == list(states)

    try:
        await gateway.until(reached)
    except trio.TooSlowError:
        raise AssertionError(f"{[row['state'] for row in found]} are not {list(states)}") from None
    return found


class Steps:
    """An answer that goes on step by step, as the test says."""

    def __init__(self, begun: Sequence[str] = WORDS) -> None:
        self.start, self.end = trio.Event(), trio.Event()
        self._begun = tuple(begun)

    def __call__(self, _: RecordedRequest) -> Answer:
        steps = (Wait(self.start), Text(self._begun), Wait(self.end), Text(("end",)))
        return ScriptedReply(steps, usage=ScriptedUsage(output_tokens=77))


@pytest.mark.parametrize("stream", [True, False])
async def test_from_the_question_to_the_last_token(gateway: Running, stream: bool) -> None:
    gateway.endpoint.script = steps = Steps()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.stream if stream else gateway.ask, secret("hi"))
        (row,) = await until_states(gateway, "waiting_first_token")
        assert (row["client"], row["model"], row["route"], row["stream"]) == ("", MODEL, CHAT, stream)
        assert (row["first_token_seconds"], row["output_tokens"], row["tokens_per_second"]) == (None, 0, None)
        assert row["worker"] in [worker["pid"] for worker in await gateway.workers("busy")]
        before = row["age_seconds"]

        async def a_hundredth_has_passed() -> bool:  # what is shown is rounded to it
            return bool((await rows(gateway))[0]["age_seconds"] > before)

        await gateway.until(a_hundredth_has_passed)
        steps.start.set()
        (row,) = await until_states(gateway, "streaming")
        assert (row["key"], row["attempts"]) == ("k0", 1)
        assert before < row["first_token_seconds"] <= row["age_seconds"]

        async def all_read() -> bool:
            return bool((await rows(gateway))[0]["output_tokens"] >= TOKENS)

        await gateway.until(all_read)
        assert (await rows(gateway))[0]["tokens_per_second"] > 0
        steps.end.set()
    assert await rows(gateway) == []


async def test_several_answers_are_one_request(gateway: Running) -> None:
    gateway.endpoint.script = steps = Steps()
    steps.start.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: gateway.ask("hi", n=2))

        async def all_read() -> bool:
            return [row["output_tokens"] >= 2 * TOKENS for row in await rows(gateway)] == [True]

        await gateway.until(all_read)
        steps.end.set()


async def test_a_client_that_does_not_read(gateway: Running) -> None:
    """The answer is complete, and larger than what the kernel takes for a client with so small a buffer."""
    gateway.endpoint.script = lambda _: ScriptedReply(
        (Text(("many words " * 1000,) * 400),), usage=ScriptedUsage(output_tokens=4321)
    )
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    transport = httpx.AsyncHTTPTransport(verify=False, socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    async with httpx.AsyncClient(transport=transport, base_url=gateway.base_url) as client:
        request = client.build_request("POST", CHAT, json=body, timeout=60)
        response = await client.send(request, stream=True)
        (row,) = await until_states(gateway, "sending")
        assert (row["output_tokens"], row["worker"], row["tokens_per_second"]) == (4321, None, None)
        await response.aclose()
    assert await until_states(gateway) == []


async def test_who_waits_for_a_worker_or_a_key() -> None:
    """One worker, two requests: the second waits in the queue, and then for its key to come back."""
    steps, asked = Steps(), trio.Event()
    answers: list[Answer | Script] = [steps, limited(retry_after=3), echo()]

    def script(request: RecordedRequest) -> Answer:
        asked.set()
        answer = answers.pop(0)
        return answer(request) if callable(answer) else answer

    config = "[workers]\nmax = 1\nspares = 0\n[auth]\nrequired = true\n"
    async with running(script, config=config) as gateway:
        gateway.client.api_key = (await gateway.control("POST", "/v1/clients", {"name": "laptop"})).json()["key"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "first")
            await asked.wait()
            nursery.start_soon(gateway.ask, "second")
            first, second = await until_states(gateway, "waiting_first_token", "queued")
            assert (second["worker"], second["key"], second["client"]) == (None, None, "laptop")
            assert second["request_id"] != first["request_id"]
            steps.start.set()
            steps.end.set()
            (row,) = await until_states(gateway, "waiting_for_key")
            assert (row["request_id"], row["worker"], row["key"]) == (second["request_id"], None, "k0")
        assert await rows(gateway) == []
