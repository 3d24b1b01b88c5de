from __future__ import annotations

import pytest

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.patience import patiently
from claudegwd.shared.store import CALL_SECONDS
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, store_of

pytestmark = needs_redis


async def test_a_person_waits_for_a_store_that_stands_still_for_a_moment(server: RedisServer) -> None:
    store = store_of(server.url, patience=CALL_SECONDS)
    async with connected(store):
        server.pause()
        with pytest.raises(StoreAwayError):
            await store.call("PING")
        server.go_on()
        assert await patiently(lambda: store.call("ECHO", "again")) == b"again"
        server.stop()
        with pytest.raises(StoreAwayError):
            await patiently(lambda: store.call("PING"))
