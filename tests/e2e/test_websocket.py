"""The Responses API over a WebSocket: what a client gets, what it may not do, and what a restart makes of it."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest
import trio
from openai.types.responses import ResponseSteerFailedEvent

from claudegwd.demo.replies import echo, say
from claudegwd.demo.script import ScriptedReply, Text, ToolUse, Wait
from claudegwd.public.responses_socket import MAX_STREAMS
from tests.e2e.harness import MODEL, Running, running, secret
from tests.websocket_client import Closed, Rejected, connected

pytestmark = pytest.mark.cli

ALPHA = {"type": "function", "name": "alpha", "parameters": {"type": "object", "properties": {}}, "strict": False}


def text_of(event: dict[str, Any]) -> str:
    return "".join(
        part["text"] for item in event["response"]["output"] if item["type"] == "message" for part in item["content"]
    )


async def test_every_event_is_a_message(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("Hel", "lo")
    async with connected(gateway.port) as socket:
        await socket.create(model=MODEL, input=secret("Hi."))
        seen = await socket.answer()
        assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
        assert [event["type"] for event in seen[:2]] == ["response.created", "response.in_progress"]
        assert seen[-1]["type"] == "response.completed"
        assert text_of(seen[-1]) == "Hello"
        kept = await gateway.client.responses.retrieve(seen[-1]["response"]["id"])
        assert kept.output_text == "Hello"


async def test_what_an_answer_over_http_tells_by_headers_is_in_the_first_event(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("Hello")
    body = {"model": MODEL, "input": "Hi.", "user": "ann", "safety_identifier": "a"}
    over_http = await gateway.post(body, "/v1/responses")
    async with connected(gateway.port) as socket:
        await socket.create(**body)
        first, *others = await socket.answer()
        ahead = await socket.ask_first(**body, generate=False)
        refused = await socket.ask(model=MODEL)
    told = first["headers"]
    assert not any("headers" in event for event in others)
    assert (
        told["x-claudegw-ignored"] == over_http.headers["x-claudegw-ignored"] == ahead["headers"]["x-claudegw-ignored"]
    )
    assert told["x-claudegw-worker"]
    assert told["x-claudegw-response"] == first["response"]["id"]
    assert {name for name in over_http.headers if name.startswith("x-")} <= told.keys()

    async def logged() -> bool:
        return all(
            ident in gateway.log for ident in (told["x-request-id"], refused["error"]["headers"]["x-request-id"])
        )

    await gateway.until(logged)


async def test_a_conversation_goes_on_by_its_id_without_being_stored(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((ToolUse("toolu_0", "alpha", {}),), stop_reason="tool_use")
    more: dict[str, Any] = {"model": MODEL, "store": False, "tools": [ALPHA]}
    async with connected(gateway.port) as socket:
        first = (await socket.ask(input="Go.", **more))["response"]
        gateway.endpoint.script = lambda _: say("done")
        result = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "fine"}
        second = await socket.ask(input=[result], previous_response_id=first["id"], **more)
        assert text_of(second) == "done"
        assert "fine" in json.dumps(gateway.upstream()[-1].messages)
        third = await socket.ask(input="On.", previous_response_id=second["response"]["id"], **more)
        assert text_of(third) == "done"
        assert (await gateway.http.get(f"/v1/responses/{first['id']}")).status_code == 404
        async with connected(gateway.port) as other:
            refused = await other.ask(input="On.", previous_response_id=first["id"], **more)
            assert (refused["status"], refused["error"]["code"]) == (400, "previous_response_not_found")


async def test_what_is_to_be_gone_on_from_is_sent_ahead(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("done")
    before = gateway.endpoint.count
    async with connected(gateway.port) as socket:
        ahead = await socket.ask(model=MODEL, input=[{"role": "user", "content": "One."}], generate=False, store=False)
        assert (ahead["type"], ahead["response"]["output"]) == ("response.completed", [])
        assert gateway.endpoint.count == before
        await socket.ask(model=MODEL, input="Two.", previous_response_id=ahead["response"]["id"])
        assert "One." in json.dumps(gateway.upstream()[-1].messages)


async def test_streams_run_side_by_side_and_each_in_its_order(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda request: (
        ScriptedReply((Wait(go), Text(("slow",)))) if "slow" in json.dumps(request.messages[-1]) else say("fast")
    )
    async with connected(gateway.port) as socket:
        await socket.create(model=MODEL, input="slow", stream_id="a")
        await socket.create(model=MODEL, input="fast", stream_id="a")
        await socket.create(model=MODEL, input="fast", stream_id="b")
        seen = await socket.answer()
        while seen[-1]["stream_id"] != "b":
            seen = await socket.answer()
        assert text_of(seen[-1]) == "fast"
        go.set()
        assert [text_of((await socket.answer())[-1]) for _ in range(2)] == ["slow", "fast"]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("{", None),
        ("[]", None),
        (b"{}", None),
        ({}, "type"),
        ({"type": "response.dream"}, "type"),
        ({"type": "response.steer", "previous_response_id": "resp_1"}, "input"),
        ({"type": "response.create"}, "model"),
        ({"type": "response.create", "model": MODEL, "input": "a", "stream_id": 5}, "stream_id"),
        ({"type": "response.create", "model": MODEL, "input": "a", "background": True}, "background"),
        ({"type": "response.create", "model": MODEL, "input": [{"type": "hologram"}]}, "input[0].type"),
    ],
)
async def test_what_cannot_be_read_is_an_error_and_the_connection_goes_on(
    gateway: Running, message: Any, param: str | None
) -> None:
    gateway.endpoint.script = lambda _: say("still here")
    async with connected(gateway.port) as socket:
        await socket.send(message)
        error = (await socket.answer())[-1]
        assert (error["type"], error["status"], error["error"]["param"]) == ("error", 400, param)
        assert text_of(await socket.ask(model=MODEL, input="a")) == "still here"


async def test_a_response_that_cannot_be_steered_goes_on_and_the_input_comes_back(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("it ",)), Wait(go), Text(("goes on",))))
    async with connected(gateway.port) as socket:
        await socket.create(model=MODEL, input="a", stream_id="s")
        ident = (await socket.receive())["response"]["id"]
        await socket.send({"type": "response.steer", "previous_response_id": ident, "input": "b"})
        while (event := await socket.receive())["type"] != "response.steer.failed":
            assert event["type"] != "error"
        failed = ResponseSteerFailedEvent.model_validate(event)
        assert (failed.steer.input, failed.steer.previous_response_id, failed.stream_id) == ("b", ident, "s")
        assert failed.error.code == "steering_not_supported"
        go.set()
        assert text_of((await socket.answer())[-1]) == "it goes on"


async def test_an_upstream_that_refuses_is_an_error_with_its_status(gateway: Running) -> None:
    async with connected(gateway.port) as socket:
        error = await socket.ask(model="gpt-unknown", input="a", stream_id="s")
        assert (error["status"], error["error"]["code"], error["stream_id"]) == (404, "model_not_found", "s")


async def test_a_client_may_name_each_request_differently(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("a")
    async with connected(gateway.port) as socket:
        for number in range(MAX_STREAMS + 1):
            event = await socket.ask(model=MODEL, input="a", stream_id=f"s{number}", generate=False)
            assert (event["type"], event["stream_id"]) == ("response.completed", f"s{number}")


async def test_streams_that_run_are_not_too_many(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Wait(go), Text(("slow",))))
    async with connected(gateway.port) as socket:
        for number in range(MAX_STREAMS + 1):
            await socket.create(model=MODEL, input="a", stream_id=f"s{number}")
        error = (await socket.answer())[-1]
        assert (error["status"], error["error"]["param"]) == (429, "stream_id")
        go.set()
        ended = 0
        while ended < MAX_STREAMS:
            ended += (await socket.receive())["type"] == "response.completed"
        assert (await socket.ask(model=MODEL, input="a", stream_id="another"))["type"] == "response.completed"


@pytest.mark.parametrize("fields", [{"background": True}, {"generate": 5}, {"type": "response.dream"}])
async def test_an_error_names_the_stream_that_waits_for_it(gateway: Running, fields: dict[str, Any]) -> None:
    async with connected(gateway.port) as socket:
        await socket.send({"type": "response.create", "model": MODEL, "input": "a", "stream_id": "s", **fields})
        error = (await socket.answer())[-1]
        assert (error["status"], error["stream_id"]) == (400, "s")


async def test_what_is_sent_ahead_is_refused_by_its_own_path(gateway: Running) -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    async with connected(gateway.port) as socket:
        error = await socket.ask(model=MODEL, input=[{"role": "user", "content": [part]}], generate=False)
    assert error["error"]["param"] == "input[0].content[0].image_url"


async def test_too_much_at_once_is_refused(gateway: Running) -> None:
    go = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Wait(go), Text(("slow",))))
    async with connected(gateway.port) as socket:
        for _ in range(18):
            await socket.create(model=MODEL, input="a", stream_id="s")
        error = (await socket.answer())[-1]
        assert (error["status"], error["stream_id"]) == (429, "s")
        go.set()
        await socket.answer()


async def test_what_waits_is_bounded_in_bytes_as_well() -> None:
    go = trio.Event()
    async with (
        running(
            lambda _: ScriptedReply((Wait(go), Text(("slow",)))), config="[server]\nmax_body_bytes = 100000\n"
        ) as gateway,
        connected(gateway.port) as socket,
    ):
        for _ in range(3):  # the first is answered, the second waits
            await socket.create(model=MODEL, input="a" * 60_000, stream_id="s")
        error = (await socket.answer())[-1]
        assert (error["status"], error["stream_id"]) == (429, "s")
        go.set()
        for _ in range(2):
            assert (await socket.answer())[-1]["type"] == "response.completed"


async def test_who_waits_behind_one_that_hangs_has_its_turn() -> None:
    async with running(
        lambda _: ScriptedReply((Wait(trio.Event()),)), config="[limits]\nrequest_seconds = 1"
    ) as gateway:
        async with connected(gateway.port) as socket:
            for _ in range(3):
                await socket.create(model=MODEL, input="a", stream_id="s")
            with trio.fail_after(60):
                ends = [(await socket.answer())[-1] for _ in range(3)]
        assert [(end["type"], end["status"]) for end in ends] == [("error", 504)] * 3


async def test_access_checks_are_those_of_http(gateway: Running) -> None:
    for headers, host, code in (
        ([(b"origin", b"https://evil.example")], "127.0.0.1", "origin_not_allowed"),
        ([], "evil.example", "host_not_allowed"),
        ([(b"authorization", b"Bearer cgw-unknown")], "127.0.0.1", "invalid_api_key"),
    ):
        with pytest.raises(Rejected) as caught:
            async with connected(gateway.port, host=host, headers=headers):
                pass
        assert caught.value.error["code"] == code
        # Whoever tries keys can be seen in the log, however it is done.
        assert re.search(rf"request .*method=WEBSOCKET .*code={code} .*address=127\.0\.0\.1", gateway.log)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses/resp_1", "/v1/models", "/"])
async def test_no_other_route_is_a_websocket(gateway: Running, path: str) -> None:
    with pytest.raises(Rejected) as caught:
        async with connected(gateway.port, path=path):
            pass
    assert caught.value.status in (200, 404, 405)


async def test_a_key_that_is_revoked_asks_nothing_more() -> None:
    async with running(echo(), config="[auth]\nrequired = true\n") as gateway:
        key = (await gateway.control("POST", "/v1/clients", {"name": "alice"})).json()["key"]
        async with connected(gateway.port, headers=[(b"authorization", b"Bearer " + key.encode())]) as socket:
            assert (await socket.ask(model=MODEL, input="a"))["type"] == "response.completed"
            assert (await gateway.control("DELETE", "/v1/clients/alice")).is_success
            assert (await socket.ask(model=MODEL, input="a"))["status"] == 401


async def test_a_client_that_vanishes_frees_its_worker_within_a_second(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("one ",)), Wait(trio.Event())))
    async with connected(gateway.port) as socket:
        await socket.create(model=MODEL, input="a")
        while (await socket.receive())["type"] != "response.output_text.delta":
            pass
        assert (await gateway.status())["workers"]["busy"] == 1
    await gateway.until_workers(seconds=2, busy=0)


async def test_a_broken_frame_ends_the_connection_with_its_code(gateway: Running) -> None:
    async with connected(gateway.port) as socket:
        assert await socket.ping() == b"p"
        assert socket.extensions == []
        await socket.stream.send_all(b"\xff\xff\xff\xff")
        with pytest.raises(Closed) as caught:
            await socket.receive()
        assert caught.value.code == 1002


async def test_a_message_over_the_bound_ends_the_connection_with_its_code() -> None:
    async with (
        running(echo(), config="[server]\nmax_body_bytes = 1048576\n") as gateway,
        connected(gateway.port) as socket,
    ):
        # The last character is the one too many: with more on its way, the code might be lost with the connection.
        await socket.send_part("x" * 1_000_000)
        await socket.send_part("x" * 48_577)
        with pytest.raises(Closed) as caught:
            await socket.receive()
        assert caught.value.code == 1009


async def test_a_restart_lets_answers_end_and_sends_clients_on() -> None:
    go = trio.Event()
    async with running(lambda _: ScriptedReply((Text(("one ",)), Wait(go), Text(("two",))))) as gateway:
        async with connected(gateway.port) as idle, connected(gateway.port) as busy:
            await busy.create(model=MODEL, input="a")
            while (await busy.receive())["type"] != "response.output_text.delta":
                pass
            os.kill(gateway.pid, signal.SIGTERM)
            with pytest.raises(Closed) as caught:
                await idle.receive()
            assert caught.value.code == 1012
            go.set()
            assert text_of((await busy.answer())[-1]) == "one two"
            with pytest.raises(Closed) as caught:
                await busy.receive()
            assert caught.value.code == 1012
        await gateway.ended()
