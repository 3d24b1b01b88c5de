"""The way to the store, with the real server: there, slow, gone, back, and not as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import CALL_SECONDS, LOOK_SECONDS, Script
from claudegwd.store.sealing import Seal
from tests.certificates import write_certificate
from tests.e2e.daemon_process import free_port
from tests.redis_server import RedisServer, needs_redis, redis_server
from tests.shared_stores import SECRET, connected, refused, store_of, until

pytestmark = needs_redis


async def test_calls_at_once_get_their_own_answers(server: RedisServer) -> None:
    store = store_of(server.url)
    async with connected(store):
        assert store.status()["away_since"] is None
        answers: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            answers[number] = await store.call("ECHO", str(number))

        async with trio.open_nursery() as asking:
            for number in range(200):
                asking.start_soon(ask, number)
        assert answers == {number: str(number).encode() for number in range(200)}


async def test_a_script_is_sent_once_and_again_to_a_store_that_forgot_it(server: RedisServer) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    store = store_of(server.url)
    async with connected(store):
        for _ in range(2):
            assert await store.run_script(script, ["a"], 5) == [b"a", b"5"]
        server.ask("SCRIPT", "FLUSH")
        assert await store.run_script(script, ["a"], 6) == [b"a", b"6"]


async def test_what_one_publishes_the_others_hear(server: RedisServer) -> None:
    one, two = store_of(server.url), store_of(server.url, "two")
    heard: list[bytes] = []
    two.on_message[two.channel("test")] = heard.append
    async with connected(two, one):
        await until(lambda: server.ask("PUBSUB", "NUMSUB", two.channel("test").decode())[1] == 1)  # type: ignore[index]
        await one.call("PUBLISH", one.channel("test"), b"\x00word")
        await until(lambda: heard == [b"\x00word"])


async def test_a_store_that_stands_still_costs_one_call_some_milliseconds(server: RedisServer) -> None:
    store = store_of(server.url, patience=CALL_SECONDS)
    async with connected(store):
        server.pause()
        began = trio.current_time()
        with pytest.raises(StoreAwayError):
            await store.call("PING")
        assert trio.current_time() - began < CALL_SECONDS + 1.0
        began = trio.current_time()
        for _ in range(1000):
            with pytest.raises(StoreAwayError):
                await store.call("PING")
        assert trio.current_time() - began < 1.0
        assert store.status()["away_since"] is not None
        assert store.status()["problem"] == "no answer within 50 ms"
        server.go_on()
        await until(lambda: store.away_since is None)
        assert await store.call("ECHO", "again") == b"again"


async def test_it_comes_back_by_itself(server: RedisServer) -> None:
    store = store_of(server.url)
    back: list[int] = []

    async def told() -> None:
        back.append(1)

    store.on_connected.append(told)
    async with connected(store):
        server.stop()
        await until(lambda: store.away_since is not None)
        with pytest.raises(StoreAwayError):
            await store.call("PING")
        server.start()
        await until(lambda: store.away_since is None)
        await until(lambda: len(back) == 2)


@pytest.mark.parametrize(
    ("fault", "end", "code"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), "OOM"),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "READONLY"),
    ],
)
async def test_one_that_takes_nothing_is_away_until_it_does(
    server: RedisServer, fault: tuple[str, ...], end: tuple[str, ...], code: str
) -> None:
    """Not there and away in turn: it answers each PING."""
    store = store_of(server.url, seal=Seal(SECRET))
    async with connected(store):
        server.ask(*fault)
        with pytest.raises(StoreAwayError):
            await store.call("SET", "a", "b")
        assert store.problem.startswith(code)
        since = store.away_since
        assert since is not None
        await trio.sleep(2 * LOOK_SECONDS)
        assert (store.away_since, store.problem[: len(code)]) == (since, code)
        server.ask(*end)
        await until(lambda: store.away_since is None)
        assert await store.call("SET", "a", "b") == b"OK"


async def test_without_one_at_the_start_nobody_waits(server: RedisServer) -> None:
    server.stop()
    store = store_of(server.url)
    async with connected(store):
        assert store.status()["away_since"] is not None
        server.start()
        await until(lambda: store.away_since is None)


async def test_tls_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    pem, port = tmp_path / "store.pem", free_port()
    write_certificate(pem)
    other = tmp_path / "other.pem"
    write_certificate(other)
    options = ("--tls-port", str(port), "--tls-cert-file", str(pem), "--tls-key-file", str(pem))
    with redis_server(*options, "--tls-auth-clients", "no") as server:
        store = store_of(f"rediss://127.0.0.1:{port}", ca_file=pem)
        async with connected(store):
            assert store.away_since is None
            assert await store.call("ECHO", "over TLS") == b"over TLS"
            server.stop()
            await until(lambda: store.away_since is not None)
            server.start(*options, "--tls-auth-clients", "no")
            await until(lambda: store.away_since is None)
        for ca_file in (None, other):
            fault = await refused(store_of(f"valkeys://127.0.0.1:{port}", ca_file=ca_file))
            assert fault.setting == "shared.ca_file"
            assert "does not verify" in str(fault)
        fault = await refused(store_of(f"valkeys://127.0.0.1:{port}", ca_file=tmp_path / "absent"))
        assert "is not a usable certificate file" in str(fault)


async def test_another_program_at_its_address_ends_nothing() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(answer, 0, host="127.0.0.1", **kw))
        store = store_of(f"valkey://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        async with connected(store):
            assert store.status()["problem"] == "what answers is neither Valkey nor Redis"
        nursery.cancel_scope.cancel()


async def test_the_reason_is_in_words() -> None:
    closed = store_of(f"valkey://127.0.0.1:{free_port()}")
    async with connected(closed):
        assert closed.status()["problem"] == "Connection refused"

    async def answer(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.receive_some()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(answer, 0, host="127.0.0.1", **kw))
        plain = store_of(f"valkeys://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        async with connected(plain):
            assert plain.status()["problem"] == "TLS failed: it may not be set up there"
        nursery.cancel_scope.cancel()
