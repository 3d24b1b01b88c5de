"""Responses that are made in the background: polled, followed, cancelled, and what a restart makes of them."""

from __future__ import annotations

import os
import signal
from typing import Any

import openai
import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import Drop, Fail, ScriptedReply, Text, Wait
from tests.e2e.harness import MODEL, Running, running, secret
from tests.openai_client import read_events
from tests.openai_description import validator

pytestmark = pytest.mark.cli


async def begin(gateway: Running, **more: Any) -> openai.types.responses.Response:
    return await gateway.client.responses.create(model=MODEL, input=secret("Go."), background=True, **more)


async def until(gateway: Running, ident: str, *states: str) -> openai.types.responses.Response:
    async def there() -> bool:
        return (await gateway.client.responses.retrieve(ident)).status in states

    await gateway.until(there)
    return await gateway.client.responses.retrieve(ident)


async def events(gateway: Running, ident: str, after: int | None = None) -> list[dict[str, Any]]:
    query = "" if after is None else f"&starting_after={after}"
    answer = await gateway.http.get(f"/v1/responses/{ident}?stream=true{query}")
    assert answer.status_code == 200
    return read_events([answer.content])


async def test_it_is_made_while_nobody_waits_and_can_be_gone_on_from(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one ",)), Wait(go), Text(("two",))))
    made = await begin(gateway)
    assert (made.status, made.background, made.output) == ("queued", True, [])
    assert (await until(gateway, made.id, "in_progress")).id == made.id
    go.set()
    done = await until(gateway, made.id, "completed")
    assert done.output_text == "one two"
    gateway.endpoint.script = lambda _: say("on")
    after = await gateway.client.responses.create(model=MODEL, input="More.", previous_response_id=made.id)
    assert after.output_text == "on"


async def test_a_stream_may_break_off_and_the_response_is_made_all_the_same(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one ",)), Wait(go), Text(("two",))))
    async with await gateway.client.responses.create(model=MODEL, input="Go.", background=True, stream=True) as stream:
        async for event in stream:
            if event.type == "response.created":
                ident = event.response.id
            if event.type == "response.output_text.delta":
                break
    go.set()
    assert (await until(gateway, ident, "completed")).output_text == "one two"


async def test_a_broken_stream_is_taken_up_where_it_broke(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one ",)), Wait(go), Text(("two",))))
    made = await begin(gateway)
    seen = []
    async with await gateway.client.responses.retrieve(made.id, stream=True) as stream:
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
    go.set()
    last = seen[-1].sequence_number
    rest = [event async for event in await gateway.client.responses.retrieve(made.id, stream=True, starting_after=last)]
    numbers = [event.sequence_number for event in (*seen, *rest)]
    assert numbers == list(range(len(numbers)))
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.output_text == "one two"
    assert [event["sequence_number"] for event in await events(gateway, made.id)] == numbers
    assert await events(gateway, made.id, numbers[-1]) == []
    wrong = await gateway.http.get(f"/v1/responses/{made.id}?stream=true&starting_after=-1")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "starting_after")


async def test_with_a_fallback_it_is_queued_until_its_first_token_and_may_be_followed_and_cancelled_before() -> None:
    asked, go = trio.Event(), trio.Event()

    def script(_: Any) -> ScriptedReply:
        asked.set()
        return ScriptedReply((Text(("one",)),), before=(Wait(go),))

    config = f'[claude]\nfallback = {{ "{MODEL}" = ["claude-3-5-haiku-20241022"] }}\n'
    async with running(script, config=config) as gateway:
        followed, cancelled = await begin(gateway), await begin(gateway)
        await asked.wait()
        for made in (followed, cancelled):
            shown = await gateway.client.responses.retrieve(made.id)
            assert (shown.status, shown.created_at, shown.output) == ("queued", made.created_at, [])
        with trio.fail_after(5):
            assert (await gateway.client.responses.cancel(cancelled.id)).status == "cancelled"
        told = await events(gateway, cancelled.id)
        assert [event["type"] for event in told] == ["response.created", "response.in_progress", "response.incomplete"]
        assert (await gateway.client.responses.retrieve(cancelled.id)).status == "cancelled"
        async with await gateway.client.responses.retrieve(followed.id, stream=True) as stream:
            go.set()
            seen = [event async for event in stream]
        assert (seen[0].type, seen[-1].type) == ("response.created", "response.completed")
        assert {event.response.created_at for event in (seen[0], seen[-1])} == {followed.created_at}


async def test_its_first_event_does_not_wait_for_the_first_token(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one",)),), before=(Wait(go),))
    async with await gateway.client.responses.create(model=MODEL, input="Go.", background=True, stream=True) as stream:
        seen = []
        async for event in stream:
            seen.append(event.type)
            go.set()
    assert (seen[0], seen[-1]) == ("response.created", "response.completed")


async def test_one_that_fails_before_its_first_token_says_so(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: Fail(400, "invalid_request_error", "messages: no")
    made = await begin(gateway)
    failed = await until(gateway, made.id, "failed")
    assert failed.error is not None
    assert failed.error.code == "invalid_prompt"
    told = await events(gateway, made.id)
    assert [event["type"] for event in told] == ["response.created", "response.in_progress", "response.failed"]


async def test_it_can_be_cancelled_and_its_worker_is_free(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one ",)), Wait(trio.Event())))
    made = await begin(gateway)
    async with await gateway.client.responses.retrieve(made.id, stream=True) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
    with pytest.raises(openai.BadRequestError, match="still running in the background") as early:
        await gateway.client.responses.create(model=MODEL, input="Go on.", previous_response_id=made.id)
    assert (early.value.param, early.value.code) == ("previous_response_id", "invalid_value")
    with trio.fail_after(5):
        cancelled = await gateway.client.responses.cancel(made.id)
    assert cancelled.status == "cancelled"
    assert (await gateway.client.responses.retrieve(made.id)).status == "cancelled"
    assert (await gateway.client.responses.cancel(made.id)).status == "cancelled"
    path = f"/v1/responses/{made.id}/cancel"
    bare = await gateway.http.post(path)  # as curl and the Node client send it: with neither a body nor a type
    assert (bare.status_code, bare.json()["status"]) == (200, "cancelled")
    assert (await gateway.http.post(path, headers={"origin": "https://evil.example"})).status_code == 403
    last = (await events(gateway, made.id))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")
    await gateway.until_workers(busy=0)
    await gateway.client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        await gateway.client.responses.retrieve(made.id)


async def test_one_that_fails_says_so(gateway: Running) -> None:
    seen = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("some words",)), Wait(seen), Drop()))
    made = await begin(gateway)
    async for event in await gateway.client.responses.retrieve(made.id, stream=True):
        if event.type == "response.output_text.delta":
            seen.set()
    failed = await until(gateway, made.id, "failed")
    assert failed.error is not None
    assert failed.error.code == "server_error"


async def test_what_is_not_to_be_stored_cannot_be_made_so(gateway: Running) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await begin(gateway, store=False)
    assert caught.value.param == "background"


async def test_a_stop_waits_for_what_is_under_way() -> None:
    go = trio.Event()
    async with running(lambda _: ScriptedReply((Text(("one ",)), Wait(go), Text(("two",))))) as gateway:
        made = await begin(gateway)
        await until(gateway, made.id, "in_progress")
        os.kill(gateway.pid, signal.SIGTERM)

        async def refuses() -> bool:
            return "stopping" in gateway.log

        await gateway.until(refuses)
        assert gateway.daemon.exit_status is None
        go.set()
        await gateway.ended()


@pytest.mark.parametrize("keep", ["memory", "disk"])
async def test_one_that_a_restart_cuts_off_has_failed(keep: str) -> None:
    config = f'[responses]\nkeep = "{keep}"\n'
    async with running(lambda _: ScriptedReply((Text(("one ",)), Wait(trio.Event()))), config=config) as gateway:
        made = await begin(gateway)
        await until(gateway, made.id, "in_progress")
        await gateway.crash_and_restart()
        lost = await gateway.client.responses.retrieve(made.id)
        assert (lost.status, lost.id, lost.background) == ("failed", made.id, True)
        assert lost.error is not None
        assert "the gateway was restarted before it was complete, or did not store it on disk" in lost.error.message
        assert (await gateway.client.responses.cancel(made.id)).status == "failed"
        assert (await gateway.http.get(f"/v1/responses/{made.id}?stream=true")).status_code == 400
        await gateway.client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await gateway.client.responses.retrieve(made.id)


async def test_one_that_is_complete_stays_as_it_is_when_it_is_cancelled_after_a_restart() -> None:
    async with running(lambda _: say("done"), config='[responses]\nkeep = "disk"\n') as gateway:
        made = await begin(gateway)
        await until(gateway, made.id, "completed")
        await gateway.restart()
        again = await gateway.client.responses.cancel(made.id)
        assert (again.status, again.output_text) == ("completed", "done")
        waited = await gateway.client.responses.create(model=MODEL, input="x")
        with pytest.raises(openai.BadRequestError):
            await gateway.client.responses.cancel(waited.id)


async def test_what_is_shown_of_a_lost_one_is_as_described() -> None:
    described = validator("Response")
    async with running(lambda _: say("done")) as gateway:
        made = await begin(gateway)
        await until(gateway, made.id, "completed")
        await gateway.crash_and_restart()
        lost = (await gateway.http.get(f"/v1/responses/{made.id}")).json()
        described.validate(lost)
        assert lost["status"] == "failed"


async def test_it_is_as_described_while_it_is_made_and_after(gateway: Running) -> None:
    described = validator("Response")  # first: without a description the test is skipped, and nothing begun
    gateway.endpoint.script = lambda _: say("done")
    made = await gateway.http.post("/v1/responses", json={"model": MODEL, "input": "Go.", "background": True})
    described.validate(made.json())
    await until(gateway, made.json()["id"], "completed")
    described.validate((await gateway.http.get(f"/v1/responses/{made.json()['id']}")).json())
