"""Streams: chunks as the official client reads them, and the bytes that carry them."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
import trio

from claudegwd.demo.replies import obey, refusal, say
from claudegwd.demo.script import Drop, Event, ScriptedReply, Text, Wait, overloaded, server_error
from tests.e2e.harness import MODEL, Running, as_messages, secret

pytestmark = pytest.mark.cli

PARTS = tuple(f"part {n} " for n in range(20))
# The CLI has written a short answer by then; its pipe and one read hold all of it.
WRITTEN_SECONDS = 1.0


@asynccontextmanager
async def raw_stream(gateway: Running, text: str, **more: Any) -> AsyncIterator[httpx.Response]:
    body = {"model": MODEL, "messages": as_messages(text), "stream": True, **more}
    async with gateway.http.stream("POST", "/v1/chat/completions", json=body) as response:
        yield response


async def events(response: httpx.Response) -> list[str]:
    """The data of each event."""
    return events_of((await response.aread()).decode())


def events_of(whole: str) -> list[str]:
    """The data of each event; each must be one line and a blank one."""
    assert whole.endswith("\n\n")
    blocks = whole[:-2].split("\n\n")
    assert all(block.startswith(("data: ", ": ")) and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks if not block.startswith(":")]


async def test_one_chunk_for_each_delta_and_the_frame_around_them(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*PARTS)
    chunks = await gateway.stream(secret("Stream."))
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1
    assert all(len(c.choices) == 1 and c.choices[0].index == 0 for c in chunks)
    first, *inner, last = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert [c.choices[0].delta.content for c in inner] == list(PARTS)
    assert all(c.choices[0].delta.role is None and c.choices[0].finish_reason is None for c in inner)
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].delta.model_dump(exclude_none=True) == {}
    assert all(c.usage is None for c in chunks)


async def test_deltas_come_as_upstream_sends_them(gateway: Running) -> None:
    gates = [trio.Event() for _ in range(3)]
    steps = [step for n, gate in enumerate(gates) for step in (Text((f"piece {n}",)), Wait(gate))]
    gateway.endpoint.script = lambda _: ScriptedReply(tuple(steps))
    said = []
    with trio.fail_after(20):
        wanted: Any = {"model": MODEL, "messages": as_messages("Slowly.")}
        async for chunk in await gateway.client.chat.completions.create(**wanted, stream=True):
            if chunk.choices[0].delta.content:
                said.append(chunk.choices[0].delta.content)
                gates[len(said) - 1].set()  # only now upstream goes on: nothing may be gathered on the way
    assert said == ["piece 0", "piece 1", "piece 2"]


async def test_deltas_that_are_there_at_once_come_in_one_piece(gateway: Running) -> None:
    """As on a busy machine: the daemon is stopped while the CLI writes."""
    release = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("first",)), Wait(release), Text(PARTS[:10])))
    async with raw_stream(gateway, "At once.") as response:
        pieces = response.aiter_raw()  # of at most one HTTP chunk each
        async for piece in pieces:
            if b"first" in piece:
                break
        gateway.daemon.signal(signal.SIGSTOP)
        try:
            release.set()
            await trio.sleep(WRITTEN_SECONDS)
        finally:
            gateway.daemon.signal(signal.SIGCONT)
        rest = [piece async for piece in pieces]
    assert max(sum(part.encode() in piece for part in PARTS) for piece in rest) == 10


async def test_the_stream_says_what_the_whole_answer_says(gateway: Running) -> None:
    parts = ("The ", 'quoted "', "\\ back", "slash\n", "ünï ", "👩‍👩‍👧", "\u2028\x00 end")
    gateway.endpoint.script = lambda _: say(*parts)
    chunks = await gateway.stream("Same?")
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == (await gateway.ask("Same?")).text


async def test_headers_keep_proxies_from_gathering(gateway: Running) -> None:
    async with raw_stream(gateway, "Headers.") as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in response.headers
        assert response.headers["x-claudegw-worker"] in ("spare", "cold", "warm")
        assert response.headers["x-request-id"]
        assert (await events(response))[-1] == "[DONE]"


async def test_usage_comes_last_and_only_if_asked_for(gateway: Running) -> None:
    async with raw_stream(gateway, "Usage.", stream_options={"include_usage": True}) as response:
        *chunks, usage, done = await events(response)
    assert done == "[DONE]"
    found = json.loads(usage)
    assert found["choices"] == []
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"] > 0
    assert all(json.loads(chunk)["usage"] is None and json.loads(chunk)["choices"] for chunk in chunks)
    assert json.loads(chunks[-1])["choices"][0]["finish_reason"] == "stop"


async def test_no_text_at_all_still_has_role_finish_and_done(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply(())
    chunks = await gateway.stream("Nothing.")
    assert [c.choices[0].delta.role for c in chunks] == ["assistant", None]
    assert [c.choices[0].finish_reason for c in chunks] == [None, "stop"]


async def test_a_refusal_comes_in_its_own_field(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: refusal()
    first, refused, last = await gateway.stream("Be evil.")
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert refused.choices[0].delta.refusal
    assert last.choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("stop", ["END", "\n\n"], ids=["the upstream's", "our own"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_a_stop_ends_the_answer_wherever_the_pieces_are_cut(gateway: Running, stop: str, size: int) -> None:
    said = "one E\ntwo" + stop + "three"
    gateway.endpoint.script = lambda request: obey(request, said, part_characters=size)
    chunks = await gateway.stream("Stop.", stop=["never", stop])
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one E\ntwo"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_several_choices_in_one_stream(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("a", "b")
    chunks = await gateway.stream("Twice.", n=2)
    for index in (0, 1):
        own = [c.choices[0] for c in chunks if c.choices[0].index == index]
        assert own[0].delta.role == "assistant"
        assert "".join(c.delta.content or "" for c in own) == "ab"
        assert [c.finish_reason for c in own] == [None] * (len(own) - 1) + ["stop"]


async def test_no_silence_is_longer_than_a_heartbeat_also_before_the_first_token(gateway: Running) -> None:
    release = trio.Event()
    late, pausing = (
        ScriptedReply((Text(("said",)),), before=(Wait(release),)),
        ScriptedReply((Text(("said",)), Wait(release))),
    )
    gateway.endpoint.script = lambda request: late if "Late" in str(request.body["messages"]) else pausing
    # What each shows of a heartbeat; Anthropic's begins with a ping, so its second one is looked for.
    signs = {"Late.": b'"role"', "Pausing.": b": keep-alive\n\n", "/v1/responses": b": keep-alive\n\n"}
    seen = dict.fromkeys((*signs, "/v1/messages"), b"")

    def silent() -> bool:
        told = all(sign in seen[name] for name, sign in signs.items())
        return told and seen["/v1/messages"].count(b"event: ping\n") > 1

    async def read(name: str, path: str, body: dict[str, Any]) -> None:
        body = {"model": MODEL, "stream": True, **body}
        headers = {"anthropic-version": "2023-06-01"}
        async with gateway.http.stream("POST", path, json=body, headers=headers) as response:
            async for piece in response.aiter_bytes():
                seen[name] += piece
                if silent():
                    release.set()

    async with trio.open_nursery() as nursery:
        for text in ("Late.", "Pausing."):
            nursery.start_soon(read, text, "/v1/chat/completions", {"messages": as_messages(text)})
        nursery.start_soon(read, "/v1/responses", "/v1/responses", {"input": "Pausing."})
        asked = {"messages": as_messages("Pausing."), "max_tokens": 100}
        nursery.start_soon(read, "/v1/messages", "/v1/messages", asked)
    assert all(b"said" in each for each in seen.values())  # Late began as a stream while there was no token yet
    assert all(seen[name].endswith(b"data: [DONE]\n\n") for name in ("Late.", "Pausing."))


FACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": as_messages("Slowly.")},
    "/v1/completions": {"prompt": "Slowly."},
    "/v1/messages": {"messages": as_messages("Slowly."), "max_tokens": 100},
    "/v1/responses": {"input": "Slowly."},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", FACES)
async def test_a_client_that_goes_away_frees_its_process_within_a_second(
    gateway: Running, path: str, stream: bool
) -> None:
    asked = trio.Event()

    def script(_: Any) -> ScriptedReply:
        asked.set()
        return ScriptedReply((Text(("said",)), Wait(trio.Event())))

    async def ask(*, task_status: trio.TaskStatus[None]) -> None:
        body = {"model": MODEL, "stream": stream, **FACES[path]}
        async with gateway.http.stream(
            "POST", path, json=body, headers={"anthropic-version": "2023-06-01"}
        ) as response:
            async for piece in response.aiter_bytes():
                if b"said" in piece:
                    task_status.started()

    gateway.endpoint.script = script
    async with trio.open_nursery() as nursery:
        if stream:
            await nursery.start(ask)
        else:
            nursery.start_soon(lambda: ask(task_status=trio.TASK_STATUS_IGNORED))
            await asked.wait()
        assert (await gateway.status())["workers"]["busy"] == 1
        nursery.cancel_scope.cancel()
    await gateway.until_workers(seconds=2, busy=0)  # the second one is for a busy machine


async def test_as_many_answers_at_once_as_there_may_be_workers_and_no_more(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("a")
    before = gateway.endpoint.count
    for path, body, param in (
        ("/v1/chat/completions", {"messages": as_messages("Often."), "n": 5}, "n"),
        ("/v1/completions", {"prompt": ["Often."] * 5}, "prompt"),
    ):
        answer = await gateway.post({"model": MODEL, **body}, path)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert "at most" in answer.json()["error"]["message"]
    assert gateway.endpoint.count == before
    assert len((await gateway.ask("Often.", n=4)).completion.choices) == 4


@pytest.mark.parametrize(("failure", "status"), [(overloaded(), 503), (server_error(), 503)])
async def test_a_failure_before_the_first_token_is_a_real_status(gateway: Running, failure: Any, status: int) -> None:
    gateway.endpoint.script = lambda _: failure
    with pytest.raises(openai.APIStatusError) as caught:
        await gateway.stream("Fail early.")
    assert caught.value.status_code == status
    assert float(caught.value.response.headers["retry-after"]) > 0


BROKEN = {
    "a cut": Drop(),
    "an error event": Event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_failure_after_the_first_token_ends_the_stream_with_an_error(gateway: Running, name: str) -> None:
    seen = trio.Event()  # else the end might swallow the text on its way through the CLI
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("begun ",)), Wait(seen), BROKEN[name]))
    whole = ""
    async with raw_stream(gateway, "Fail late.") as response:
        assert response.status_code == 200
        async for piece in response.aiter_text():
            whole += piece
            if "begun" in whole:
                seen.set()
    *chunks, error, done = events_of(whole)
    assert done == "[DONE]"
    assert set(json.loads(error)["error"]) == {"message", "type", "param", "code"}
    assert json.loads(chunks[1])["choices"][0]["delta"]["content"] == "begun "
    assert all(json.loads(chunk)["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert gateway.endpoint.count == 1


async def test_the_official_client_raises_what_broke_off(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("begun ",)), Drop()))
    with pytest.raises(openai.APIError):
        await gateway.stream("Break.")


async def test_the_official_accumulator_reads_the_stream(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*PARTS)
    wanted: Any = {"model": MODEL, "messages": as_messages("Accumulate.")}
    async with gateway.client.chat.completions.stream(**wanted, stream_options={"include_usage": True}) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "".join(PARTS)
    assert final.usage is not None
