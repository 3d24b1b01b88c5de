"""Three daemons behind the real HAProxy with packaging/haproxy/haproxy.cfg. Their CLI is the fake one."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.e2e.daemon_process import POLL_SECONDS, Daemon
from tests.e2e.haproxy_process import SERVERS, HAProxy, needs_haproxy, short_home
from tests.fake_binary import write_fake_cli
from tests.plain_http import control_client
from tests.websocket_client import Socket

pytestmark = needs_haproxy

PATIENCE_SECONDS = 30.0
ECHO = "fake-echo-1"
# Twelve deltas, a tenth of a second between two, each the time at which it was written.
STAMPS = "fake-deltas-12-gap-100-stamp-1"
# A delta that comes half a second late is not held back: the machine is busy.
LATE = 5
LONG = "fake-deltas-200-gap-50"
# Of the words that a client may call its conversations by, so many are at home on more than one of three machines.
NAMES = tuple(f"conversation-{number}" for number in range(9))

CONFIG = f"""
[server]
allowed_hosts = ["gateway.example.org"]
trusted_proxies = ["127.0.0.1"]
[claude]
models = {json.dumps([ECHO, STAMPS, LONG])}
"""


@dataclass
class Fleet:
    daemons: list[Daemon]
    proxy: HAProxy

    def server_of(self, request_id: str) -> str | None:
        """Which machine has answered a request, once it has logged that."""
        return next((name for name, one in zip(SERVERS, self.daemons, strict=True) if request_id in one.log()), None)

    def daemon(self, server: str) -> Daemon:
        return self.daemons[SERVERS.index(server)]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with short_home() as home, ExitStack() as stack:
        cli = write_fake_cli(home)
        daemons = [Daemon("http://127.0.0.1:9", config=CONFIG, cli=cli) for _ in SERVERS]
        for daemon in daemons:
            stack.callback(daemon.remove)
        for daemon in daemons:
            daemon.spawn()
        for daemon in daemons:
            daemon.wait_until_ready()
        proxy = HAProxy(home, [daemon.port for daemon in daemons])
        with proxy.running():
            yield Fleet(daemons, proxy)


@asynccontextmanager
async def client_of(fleet: Fleet, source: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(http2=True, verify=fleet.proxy.trust(), local_address=source)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"https://127.0.0.1:{fleet.proxy.port}", timeout=PATIENCE_SECONDS,
        headers={"host": "gateway.example.org"},
    ) as client:  # fmt: skip
        yield client


def chat(text: str = "Hello.", model: str = ECHO, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def until(holds: Any) -> Any:
    with trio.fail_after(PATIENCE_SECONDS):
        while not (found := holds()):
            await trio.sleep(POLL_SECONDS)
    return found


async def home_of(fleet: Fleet, client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> str:
    """Which machine answers this."""
    answer = await client.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: str = await until(lambda: fleet.server_of(answer.headers["x-request-id"]))
    return found


async def homes_of(fleet: Fleet, client: httpx.AsyncClient, names: Sequence[str]) -> dict[str, str]:
    return {name: await home_of(fleet, client, chat(), **{"x-session-affinity": name}) for name in names}


def test_it_is_a_valid_configuration(tmp_path: Path) -> None:
    done = HAProxy(tmp_path, [8001, 8002, 8003]).check()
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr


async def test_a_stream_comes_token_by_token_over_http_2(fleet: Fleet) -> None:
    written, came = [], []
    async with client_of(fleet) as client:
        body = chat(model=STAMPS, stream=True)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                choices = json.loads(line.removeprefix("data: "))["choices"]
                if choices and (said := choices[0]["delta"].get("content")):
                    came.append(time.monotonic_ns())
                    written.append(int(said))
    assert len(written) == 12
    assert all(at < later for at, later in zip(came, written[LATE:], strict=False))


async def test_a_conversation_stays_at_home_by_whatever_names_it(fleet: Fleet) -> None:
    async with client_of(fleet) as client:
        homes = await homes_of(fleet, client, NAMES)
        assert len(set(homes.values())) > 1  # nine names on one of three: once in 6561
        assert await homes_of(fleet, client, NAMES) == homes
        for name in NAMES:
            # The same word is the same home, wherever it stands.
            assert await home_of(fleet, client, chat(prompt_cache_key=name)) == homes[name]
        by_key = {
            name: await home_of(fleet, client, chat(str(turn)), authorization=f"Bearer {name}")
            for name in NAMES[:3]
            for turn in range(2)
        }
        for name, server in by_key.items():
            assert await home_of(fleet, client, chat(), authorization=f"Bearer {name}") == server


async def test_a_kept_response_is_gone_on_from_where_it_is(fleet: Fleet) -> None:
    async with client_of(fleet) as client:
        homes = await homes_of(fleet, client, NAMES)
        one = NAMES[0]
        other = next(name for name in NAMES if homes[name] != homes[one])
        first = await client.post(
            "/v1/responses", json={"model": ECHO, "input": "Hello."}, headers={"x-session-affinity": one}
        )
        ident = first.json()["id"]
        assert first.headers["x-claudegw-response"] == ident
        second = await client.post(
            "/v1/responses",
            json={"model": ECHO, "input": "Go on.", "previous_response_id": ident},
            headers={"x-session-affinity": other},
        )
        assert second.status_code == 200, second.text
        assert await until(lambda: fleet.server_of(second.headers["x-request-id"])) == homes[one]
        shown = await client.get(f"/v1/responses/{ident}", headers={"x-session-affinity": other})
        assert shown.json()["id"] == ident


async def test_the_log_has_the_clients_address_whatever_it_says_of_itself(fleet: Fleet) -> None:
    async with client_of(fleet, source="127.0.0.5") as client:
        answer = await client.post(
            "/v1/chat/completions", json=chat(), headers={"x-forwarded-for": "6.6.6.6", "forwarded": "for=6.6.6.6"}
        )
        ident = answer.headers["x-request-id"]
        daemon = fleet.daemon(await until(lambda: fleet.server_of(ident)))
        await until(partial(logged, daemon, ident, "address=127.0.0.5"))
        assert "6.6.6.6" not in daemon.log()


async def test_behind_a_balancer_that_speaks_the_proxy_protocol_it_is_still_the_clients_address(fleet: Fleet) -> None:
    body = json.dumps(chat()).encode()
    asked = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example.org\r\nconnection: close\r\n"
    asked += b"content-type: application/json\r\nx-forwarded-for: 6.6.6.6\r\ncontent-length: %d\r\n\r\n" % len(body)
    for line in (b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 443\r\n", b"PROXY TCP6 2001:db8::77 2001:db8::1 4711 443\r\n"):
        stream = await trio.open_tcp_stream("127.0.0.1", fleet.proxy.accept_proxy_port)
        await stream.send_all(line)
        async with trio.SSLStream(
            stream, fleet.proxy.trust(), server_hostname="127.0.0.1", https_compatible=True
        ) as secure:
            await secure.send_all(asked + body)
            said = b"".join([piece async for piece in secure]).decode()
        assert said.startswith("HTTP/1.1 200 "), said
        ident = next(line.split()[1] for line in said.splitlines() if line.startswith("x-request-id: "))
        daemon = fleet.daemon(await until(partial(fleet.server_of, ident)))
        address = f"address={line.split()[2].decode()}"
        await until(partial(logged, daemon, ident, address))
        assert "6.6.6.6" not in daemon.log()


def logged(daemon: Daemon, ident: str, address: str) -> bool:
    return any(ident in line and address in line for line in daemon.log().splitlines())


async def test_a_websocket(fleet: Fleet) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", fleet.proxy.port)
    context = fleet.proxy.trust()
    context.set_alpn_protocols(["http/1.1"])
    async with trio.SSLStream(stream, context, server_hostname="127.0.0.1", https_compatible=True) as secure:
        socket = Socket(secure)  # type: ignore[arg-type]  # it only sends and receives
        await socket.shake_hands("gateway.example.org", "/v1/responses", ())
        assert (await socket.ask(model=ECHO, input="Hello."))["type"] == "response.completed"


async def test_a_drained_machine_gets_no_new_requests_and_ends_what_it_has(fleet: Fleet) -> None:
    async with client_of(fleet) as client:
        name = NAMES[0]
        home = await home_of(fleet, client, chat(), **{"x-session-affinity": name})
        body = chat(model=LONG, stream=True)
        async with client.stream(
            "POST", "/v1/chat/completions", json=body, headers={"x-session-affinity": name}
        ) as one:
            lines = one.aiter_lines()
            await anext(lines)
            await control(fleet.daemon(home), "drain")
            await until(lambda: fleet.proxy.states()[home] != "UP")
            elsewhere = await homes_of(fleet, client, NAMES)
            assert home not in elsewhere.values()
            rest = [line async for line in lines]
            assert "data: [DONE]" in rest
        await control(fleet.daemon(home), "undrain")
        await until(lambda: fleet.proxy.states()[home] == "UP")
        assert await home_of(fleet, client, chat(), **{"x-session-affinity": name}) == home


async def test_requests_to_a_machine_that_was_killed_are_answered_elsewhere(fleet: Fleet) -> None:
    async with client_of(fleet) as client:
        homes = await homes_of(fleet, client, NAMES)
        gone = homes[NAMES[0]]
        await trio.to_thread.run_sync(fleet.daemon(gone).kill)
        # Before HAProxy has looked: these find nobody there, and were not sent.
        answers = await homes_of(fleet, client, NAMES)
        assert gone not in answers.values()
        assert {name: answers[name] for name in NAMES if homes[name] != gone} == {
            name: home for name, home in homes.items() if home != gone
        }
        await trio.to_thread.run_sync(fleet.daemon(gone).start)
        await until(lambda: fleet.proxy.states()[gone] == "UP")
        assert await homes_of(fleet, client, NAMES) == homes


async def test_when_no_machine_takes_requests_clients_read_why(fleet: Fleet) -> None:
    for daemon in fleet.daemons:
        await control(daemon, "drain")
    await until(lambda: "UP" not in fleet.proxy.states().values())
    async with client_of(fleet) as client:
        answer = await client.post("/v1/chat/completions", json=chat())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"]["code"] == "service_unavailable"
    for daemon in fleet.daemons:
        await control(daemon, "undrain")
    await until(lambda: set(fleet.proxy.states().values()) == {"UP"})


async def control(daemon: Daemon, what: str) -> None:
    async with control_client(daemon.socket) as client:
        assert (await client.post(f"/v1/{what}")).status_code == 200
