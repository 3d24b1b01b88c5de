"""People are told of what happens, once, by a program and by a POST, and nobody waits for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h11
import pytest
import trio

from claudegwd.demo.replies import echo, say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedUsage, limited, revoked, spent
from tests.control_cli import ctl
from tests.e2e.harness import MODEL, Running, running
from tests.e2e.test_login import without_keys
from tests.e2e.test_windows import limits

pytestmark = pytest.mark.cli

KEYS = ({"name": "first", "token": "sk-false-1"}, {"name": "second", "token": "sk-false-2"})


def telling(directory: Path) -> str:
    """A configuration whose command makes a file of each notice."""
    script = f"cat > {directory}/$$.new; mv {directory}/$$.new {directory}/$$.told"
    return f'[notify]\ncommand = ["/bin/sh", "-c", "{script}"]\n'


def told(directory: Path) -> list[dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in directory.glob("*.told")]
    return sorted(found, key=lambda notice: (notice["event"], notice["subject"]))


def events(directory: Path) -> list[tuple[str, str]]:
    return [(notice["event"], notice["subject"]) for notice in told(directory)]


async def until_told(gateway: Running, directory: Path, wanted: list[tuple[str, str]]) -> None:
    async def holds() -> bool:
        return events(directory) == wanted

    try:
        await gateway.until(holds)
    except trio.TooSlowError:
        assert events(directory) == wanted


async def test_keys_that_die_one_after_the_other(tmp_path: Path) -> None:
    def script(request: RecordedRequest) -> Answer:
        return revoked() if request.key == "sk-false-1" else spent()

    async with running(script, keys=KEYS, config=telling(tmp_path)) as gateway:
        for _ in range(3):
            await gateway.refused("hi")
        wanted = [("key_exhausted", "second"), ("key_invalid", "first"), ("keys_gone", "second")]
        await until_told(gateway, tmp_path, wanted)
        first = told(tmp_path)[0]
        assert first["until"] > first["time"]
        assert "sk-false" not in str(told(tmp_path))
        await gateway.crash_and_restart()
        await gateway.refused("hi")
        assert (await ctl(gateway.daemon.socket, "notify", "test")).status == 0
        await until_told(gateway, tmp_path, [*wanted, ("test", "claudegwd")])


async def test_a_last_key_that_is_removed_where_nobody_is_logged_in(tmp_path: Path) -> None:
    async with running(echo(), config=telling(tmp_path)) as gateway:
        assert (await ctl(gateway.daemon.socket, "keys", "remove", "k0")).status == 0
        await until_told(gateway, tmp_path, [("keys_gone", "claude")])
        assert "neither a key nor a login is left" in gateway.log


async def test_a_window_and_a_budget(tmp_path: Path) -> None:
    config = telling(tmp_path) + "[auth]\nrequired = true\n"
    nearly = replace(say("ok", usage=ScriptedUsage(400, 200)), headers=limits(0.93, 0.2))
    async with running(lambda _: nearly, config=config) as gateway:
        made = await ctl(gateway.daemon.socket, "clients", "create", "laptop", "--budget", "0.01usd/month", "--json")
        headers = {"authorization": f"Bearer {made.json['key']}"}
        body = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(6):
            await gateway.post(body, headers=headers)
            await gateway.until_workers(busy=0, settling=0)
        await until_told(gateway, tmp_path, [("budget_reached", "laptop"), ("window_full", "k0")])
        assert "93% of the 5h limit of the key k0 is used" in told(tmp_path)[1]["text"]
        assert "the client laptop has used up its budget of 0.01usd/month" in told(tmp_path)[0]["text"]


@pytest.mark.parametrize(("answer", "says"), [(revoked(), "rejects"), (limited(retry_after=3000), "rate limits")])
async def test_a_login_that_cannot_be_used(tmp_path: Path, answer: Answer, says: str) -> None:
    async with without_keys("ANTHROPIC_API_KEY") as gateway:
        gateway.daemon.write_config(telling(tmp_path))
        assert (await gateway.control("POST", "/v1/reload")).status_code == 200
        gateway.endpoint.script = lambda _: answer
        for _ in range(2):
            await gateway.refused("hi")
        await until_told(gateway, tmp_path, [("keys_gone", "ANTHROPIC_API_KEY")])
        (notice,) = told(tmp_path)
        assert (f"the upstream {says} the login" in notice["text"], bool(notice["until"])) == (
            True,
            says == "rate limits",
        )
        assert (await gateway.status())["state"] == "degraded"


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """An address, and what was posted there."""
    got: list[dict[str, Any]] = []

    async def handle(stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Data):
                body += event.data
        got.append(json.loads(body))
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(handle, 0, host="127.0.0.1", **kw))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/secret-place", got
        nursery.cancel_scope.cancel()


async def test_a_command_that_hangs_delays_neither_answers_nor_the_address_beside_it() -> None:
    async with receiving() as (url, got):
        config = f'[notify]\ncommand = "/bin/sleep 1000"\nurl = "{url}"\n'
        async with running(lambda _: revoked(), keys=KEYS, config=config) as gateway:
            await gateway.refused("hi")

            async def both() -> bool:
                return [(one["event"], one["subject"]) for one in got] == [
                    ("key_invalid", "first"), ("key_invalid", "second"), ("keys_gone", "second"),
                ]  # fmt: skip

            await gateway.until(both, 5.0)
            shown = await gateway.control("GET", "/v1/config")
            assert "secret-place" not in shown.text + gateway.log

            # From now on nobody is told, without a restart.
            gateway.daemon.write_config("")
            changed = (await gateway.control("POST", "/v1/reload")).json()["changes"]
            assert sorted(change["key"] for change in changed) == ["notify.command", "notify.url"]
            refused = await ctl(gateway.daemon.socket, "notify", "test")
            assert "no notifications are configured" in refused.err
