"""What a server and the machines' secret must be, with the real server."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from claudegwd.shared.limits import SharedLimits
from claudegwd.shared.own_name import OwnName
from claudegwd.store.sealing import KEY_BYTES, Seal
from tests.redis_server import RedisServer, needs_redis, redis_server
from tests.shared_stores import SECRET, connected, refused, store_of, until

pytestmark = needs_redis


@pytest.mark.parametrize("password", ["", "sk-false-wrong"])
async def test_a_wrong_password_at_the_start_is_for_a_person(password: str) -> None:
    with redis_server("--requirepass", "sk-false-right") as server:
        fault = await refused(store_of(server.url, password=password))
        assert fault.setting == "shared.password_file"
        assert "put it into the file" in str(fault)
        assert "sk-false" not in str(fault)
        store = store_of(server.url, password="sk-false-right")
        async with connected(store):
            assert store.away_since is None


async def test_so_is_a_server_that_is_too_old() -> None:
    """One without RESP3 says that it does not know the greeting, as one would whose command has another name."""
    with redis_server("--rename-command", "HELLO", "") as server:
        fault = await refused(store_of(server.url))
        assert fault.setting == "shared.url"
        assert "Valkey 7.2, Redis 7.0 or newer" in str(fault)


@pytest.mark.parametrize(
    ("greeting", "named"),
    [
        # Redis 6 greets as newer ones do.
        (b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n", "redis 6.2.14"),
        (b"+OK\r\n", "an unsuitable server"),
        (b"%1\r\n$6\r\nserver\r\n:1\r\n", "an unsuitable server"),
    ],
)
async def test_so_is_one_that_says_so_itself(greeting: bytes, named: str) -> None:

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(greeting)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        fault = await refused(store_of(f"redis://127.0.0.1:{listener.socket.getsockname()[1]}"))
        assert fault.setting == "shared.url"
        assert str(fault) == f"points to {named}: Valkey 7.2, Redis 7.0 or newer is required"
        nursery.cancel_scope.cancel()


async def test_another_secret_than_that_of_the_other_machines(server: RedisServer) -> None:
    one, other = store_of(server.url, seal=Seal(SECRET)), store_of(server.url, "two", seal=Seal(SECRET))
    async with connected(one, other):
        assert (one.away_since, other.away_since) == (None, None)
        stranger = store_of(server.url, "three", seal=Seal(bytes(KEY_BYTES)))
        fault = await refused(stranger)
        assert fault.setting == "shared.secret_file"
        assert "copy theirs" in str(fault)
        server.stop()
        server.start()  # empty: who comes first, says what the secret is
        await until(lambda: (one.away_since, other.away_since) == (None, None))


# What docs/scale.md lists.
ALLOWED = (
    "on ~claudegwd:* &claudegwd:* +@connection +@read +@write +@hash +@sortedset "
    "+eval +evalsha +publish +subscribe +time"
)


@pytest.mark.parametrize("missing", ["", "~claudegwd:*", "&claudegwd:*", "+subscribe", "+eval", "+time"])
async def test_a_user_without_permissions_is_for_a_person(server: RedisServer, missing: str) -> None:
    granted = [word for word in ALLOWED.split() if word != missing]
    server.ask("ACL", "SETUSER", "gateway", "resetchannels", *granted, ">sk-false-1")
    store = store_of(server.url.replace("unix://", "unix://gateway@"), password="sk-false-1", seal=Seal(SECRET))
    OwnName(store, "host")
    SharedLimits(store, 0.5)
    if not missing:
        async with connected(store):
            assert store.away_since is None
        return
    fault = await refused(store)
    assert fault.setting == "shared.url"
    assert str(fault).startswith("names a user without the needed permissions at ")


async def test_so_is_a_database_that_there_is_not(server: RedisServer) -> None:
    fault = await refused(store_of(f"{server.url}?db=99"))
    assert (fault.setting, str(fault)) == (
        "shared.url",
        f"names database 99, which {server.path} does not have: use a lower number",
    )
