"""The whole gateway for a test: real daemon, real CLI, scripted endpoint, official client.

`running(...)` starts a daemon for one test; the fixture `gateway` (conftest.py) shares one among a module's tests.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import trio
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import echo
from claudegwd.demo.script import RecordedRequest, Script
from tests.e2e.daemon_process import GOOD_KEY, MARKER, POLL_SECONDS, Daemon, free_port
from tests.plain_http import control_client, http_client

# Takes no thinking unless it is asked for, so its upstream bodies are the plainest.
MODEL = "claude-sonnet-4-20250514"
# The usual patience of `until`; generous, because other people's tests run beside ours.
PATIENCE_SECONDS = 20.0
# No single test may take longer, whatever hangs.
TEST_SECONDS = float(os.environ.get("TEST_SECONDS", "120"))

Messages = list[dict[str, Any]]


@dataclass
class Answered:
    """An answer read by the official client; `how` is x-claudegw-worker."""

    completion: ChatCompletion
    headers: Mapping[str, str]

    @property
    def how(self) -> str | None:
        return self.headers.get("x-claudegw-worker")

    @property
    def message(self) -> Any:
        return self.completion.choices[0].message

    @property
    def text(self) -> str | None:
        return self.completion.choices[0].message.content

    @property
    def reason(self) -> str:
        return self.completion.choices[0].finish_reason


@dataclass
class Running:
    """A gateway that answers. `endpoint.script = …` changes what upstream says."""

    daemon: Daemon
    endpoint: ScriptedEndpoint
    client: openai.AsyncOpenAI
    http: httpx.AsyncClient
    """Raw requests to the public face; its base_url is the server's root."""

    @property
    def port(self) -> int:
        return self.daemon.port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        return self.daemon.home

    @property
    def pid(self) -> int:
        return self.daemon.pid

    @property
    def log(self) -> str:
        return self.daemon.log()

    # -- asking -------------------------------------------------------------------------------------------------------

    async def ask(self, messages: str | Messages, **parameters: Any) -> Answered:
        """Ask without streaming; raises the openai.APIStatusError of a refusal."""
        wanted = {"model": MODEL, **parameters, "messages": as_messages(messages)}
        raw = await self.client.chat.completions.with_raw_response.create(**wanted)
        return Answered(raw.parse(), raw.headers)

    async def stream(self, messages: str | Messages, **parameters: Any) -> list[ChatCompletionChunk]:
        """Ask with streaming; all the chunks."""
        wanted = {"model": MODEL, **parameters, "messages": as_messages(messages), "stream": True}
        return [chunk async for chunk in await self.client.chat.completions.create(**wanted)]

    async def post(self, body: Any, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
        """A raw POST of a JSON value."""
        return await self.http.post(path, json=body, **more)

    async def refused(self, messages: str | Messages, **parameters: Any) -> openai.APIStatusError:
        """Ask where an error is expected, and return it."""
        try:
            answer = await self.ask(messages, **parameters)
        except openai.APIStatusError as error:
            return error
        raise AssertionError(f"answered instead of refused: {answer.completion}")

    # -- looking ------------------------------------------------------------------------------------------------------

    async def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request on the control socket, such as `await control("GET", "/v1/status")`."""
        async with control_client(self.daemon.socket) as client:
            return await client.request(method, path, json=body)

    async def status(self) -> dict[str, Any]:
        status: dict[str, Any] = (await self.control("GET", "/v1/status")).json()
        return status

    async def workers(self, state: str | None = None) -> list[dict[str, Any]]:
        """The rows of GET /v1/workers, those in `state` if it is given."""
        rows = (await self.control("GET", "/v1/workers")).json()["workers"]
        return [row for row in rows if state in (None, row["state"])]

    async def keys(self) -> dict[str, dict[str, Any]]:
        """The rows of `status` by the key's name."""
        return {row["name"]: row for row in (await self.status())["keys"]}

    async def until(self, holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
        """Ask again and again until it holds; trio.TooSlowError if it never does."""
        with trio.fail_after(seconds):
            while not await holds():
                await trio.sleep(POLL_SECONDS)

    async def until_workers(self, seconds: float = PATIENCE_SECONDS, **counts: int) -> None:
        """Wait until `status` counts so many workers: `await until_workers(spare=1, busy=0)`."""

        async def counted() -> bool:
            found = (await self.status())["workers"]
            return all(found[state] == count for state, count in counts.items())

        await self.until(counted, seconds)

    def upstream(self, since: int = 0) -> list[RecordedRequest]:
        """What the endpoint was sent, from its request number `since` (an earlier `endpoint.count`) on."""
        new = self.endpoint.count - since
        return list(self.endpoint.requests)[-new:] if new else []

    # -- the daemon's life --------------------------------------------------------------------------------------------

    async def crash_and_restart(self) -> None:
        """kill -9 the daemon and start it again on the same files and port."""
        await trio.to_thread.run_sync(self.daemon.kill)
        await trio.to_thread.run_sync(self.daemon.start)

    async def restart(self) -> None:
        """Let the daemon end in order, and start it again on the same files and port."""
        await trio.to_thread.run_sync(self.daemon.end)
        await trio.to_thread.run_sync(self.daemon.start)

    async def kill(self, pid: int) -> None:
        """kill -9 one of the daemon's workers and wait until it is gone."""
        assert pid in [row["pid"] for row in await self.workers()]
        os.kill(pid, signal.SIGKILL)

        async def gone() -> bool:
            return not Path(f"/proc/{pid}").exists()

        await self.until(gone)

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the daemon, which was told to stop, has done so."""

        async def is_over() -> bool:
            return self.daemon.exit_status is not None

        await self.until(is_over, seconds)
        assert self.daemon.exit_status == 0


def as_messages(messages: str | Messages) -> Messages:
    return [{"role": "user", "content": messages}] if isinstance(messages, str) else messages


def secret(text: str) -> str:
    """A message that may leave no trace: every daemon's files are searched for it."""
    return f"{MARKER}-{text}"


def openai_client(base_url: str, api_key: str = "none", **options: Any) -> openai.AsyncOpenAI:
    """The official client as people have it, but without certificates (tests/plain_http.py)."""
    plain = openai.DefaultAsyncHttpxClient(verify=False)
    return openai.AsyncOpenAI(base_url=base_url, api_key=api_key, http_client=plain, **options)


@asynccontextmanager
async def attached(daemon: Daemon, endpoint: ScriptedEndpoint) -> AsyncIterator[Running]:
    """Clients for a daemon that runs."""
    base_url = f"http://127.0.0.1:{daemon.port}"
    with trio.fail_after(TEST_SECONDS):
        async with (
            openai_client(f"{base_url}/v1", max_retries=0, timeout=120) as client,
            http_client(base_url, timeout=120) as http,
        ):
            yield Running(daemon, endpoint, client, http)


@asynccontextmanager
async def started(daemon: Daemon, endpoint: ScriptedEndpoint) -> AsyncIterator[Running]:
    """A daemon from its start to its end, after which nothing of it is left."""
    try:
        await trio.to_thread.run_sync(daemon.start)
        async with attached(daemon, endpoint) as gateway:
            yield gateway
        await trio.to_thread.run_sync(daemon.stop)
    finally:
        sys.stderr.write(daemon.log())  # pytest shows it where the test has failed
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(daemon.remove)


@asynccontextmanager
async def with_upstream(daemon: Daemon) -> AsyncIterator[Running]:
    """A daemon that runs, with an upstream of its own for so long: it echoes until it is given another script."""
    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(echo())
        port = int(daemon.upstream.rpartition(":")[2])
        await nursery.start(lambda task_status: endpoint.serve(port=port, task_status=task_status))
        before = len(daemon.log())
        try:
            async with attached(daemon, endpoint) as gateway:
                yield gateway
        finally:
            sys.stderr.write(daemon.log()[before:])  # pytest shows it where the test has failed
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(
    script: Script,
    *,
    keys: Sequence[str | Mapping[str, str]] = (GOOD_KEY,),
    config: str = "",
    env: Mapping[str, str] | None = None,
    cli: Path | None = None,
    under: Sequence[str] = (),
    owner: int | None = None,
) -> AsyncIterator[Running]:
    """A gateway for one test.

    `config` is TOML over the harness's defaults, `cli` another CLI binary (tests/fake_binary.py). At the end the daemon
    must stop with status 0 and leave no process, no token and no `secret(…)` behind.
    """
    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(script)
        daemon = Daemon(await nursery.start(endpoint.serve), keys, config, env, cli, under=under, owner=owner)
        async with started(daemon, endpoint) as gateway:
            yield gateway
        nursery.cancel_scope.cancel()


__all__ = [
    "GOOD_KEY",
    "MODEL",
    "Answered",
    "Daemon",
    "Running",
    "attached",
    "free_port",
    "openai_client",
    "running",
    "secret",
    "started",
    "with_upstream",
]
