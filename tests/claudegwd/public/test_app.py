"""What holds for every route, without a CLI: bodies that do not come, and an order of refusals."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import trio

from claudegwd.config import Config
from claudegwd.limits.clients import ClientBook
from claudegwd.limits.meter import Limits
from claudegwd.openai_api.bounds import Bounds
from claudegwd.public.app import BODY_SECONDS, public_app
from claudegwd.public.requests import REFUSED_BODY_SECONDS
from tests.claudegwd.test_serving import PATIENCE, running

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


SLOW = [(b"content-length: 1000\r\n\r\n", b" "), (b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n")]


def gateway() -> Any:
    """What a request that is never asked looks at of a gateway."""
    return SimpleNamespace(
        config=Config(),
        binds=["127.0.0.1:8000"],
        bounds=Bounds(),
        clients=SimpleNamespace(book=ClientBook(default=Limits(concurrent_requests=1))),
        metrics=SimpleNamespace(responded=lambda *_: None),
        needs_key=lambda: False,
        begin_request=lambda: lambda: None,
        refused=lambda _: None,
    )


async def test_a_body_that_comes_slowly_is_cut_off(autojump_clock: object) -> None:
    here = gateway()
    async with running(public_app(here), math.inf) as server:
        for head, piece in SLOW:
            stream = await server.connect()
            started = trio.current_time()
            await stream.send_all(HEAD + head)
            got = await answer_to(stream, piece)
            assert BODY_SECONDS <= trio.current_time() - started < 2 * BODY_SECONDS + REFUSED_BODY_SECONDS
            assert got.startswith(b"HTTP/1.1 400 ")
            assert b"connection: close" in got.lower()
            assert "slowly" in json.loads(got.partition(b"\r\n\r\n")[2])["error"]["message"]
        # Nor does it hold the client's only place any longer.
        stream = await server.connect()
        await stream.send_all(HEAD + b"content-length: 1\r\nconnection: close\r\n\r\n{")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400 ")
        await server.server.stop(PATIENCE)


async def answer_to(stream: trio.SocketStream, piece: bytes) -> bytes:
    """What comes back, to its end, while a piece is sent every five seconds, 100 times at most."""
    got = b""
    for _ in range(100):
        with trio.move_on_after(5):
            try:
                data = await stream.receive_some()
            except trio.BrokenResourceError:
                return got
            got += data
            if not data:
                return got
            continue
        try:
            await stream.send_all(piece)
        except trio.BrokenResourceError:
            break
    return got
