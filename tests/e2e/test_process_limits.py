"""Little room for descriptors, processes and threads: what needs none goes on, what needs some is refused in words."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio

from claudegwd.demo.replies import echo
from tests.e2e.harness import Messages, Running, as_messages, running

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(shutil.which("prlimit") is None, reason="it takes prlimit, of util-linux"),
]

WITHOUT_SPARES = "[workers]\nspares = 0\nmax = 2"
# Some 50 connections fit into this beside what is kept back (serving.py).
DESCRIPTORS = 100
MORE_THAN_FIT = 150
# The limit on processes does not bind root. This one owns no others, and may read what only root can.
NOBODY_ELSE = 54_321
AS_NOBODY_ELSE = (
    "setpriv", f"--reuid={NOBODY_ELSE}", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip


async def test_a_crowd_leaves_descriptors_for_control_and_processes() -> None:
    async with running(
        echo(), config=WITHOUT_SPARES, under=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    ) as gateway:
        assert (await gateway.http.get("/livez")).status_code == 200  # on a connection that stays open
        async with trio.open_nursery() as nursery:
            crowd = []
            for _ in range(MORE_THAN_FIT):
                stream = await trio.open_tcp_stream("127.0.0.1", gateway.port)
                nursery.start_soon(stream.send_all, b"GET /livez HTTP/1.1\r\nHost: local")
                crowd.append(stream)
            with trio.fail_after(20):
                assert (await gateway.status())["state"] == "ready"
                answer = await gateway.post({"model": "sonnet", "messages": as_messages("Hello?")})
            assert (answer.status_code, answer.headers["x-claudegw-worker"]) == (200, "cold"), answer.text
            for stream in crowd:
                await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()

        async def has_room() -> bool:
            """Whether the daemon has noticed that the crowd is gone: until then it hangs up on others."""
            stream = await trio.open_tcp_stream("127.0.0.1", gateway.port)
            async with stream:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return bool(await stream.receive_some(1))
            return False

        await gateway.until(has_room)
        assert (await gateway.ask("And now?")).text == "And now?"


async def limit_processes(gateway: Running, under: Sequence[str], processes: int) -> None:
    """Bound, from now on, how many its user may have for it to start one more."""
    soft = "unlimited" if processes == resource.RLIM_INFINITY else processes
    await trio.run_process([*under, "prlimit", f"--pid={gateway.pid}", f"--nproc={soft}:"])


async def another(gateway: Running, number: int) -> int:
    """The status of a request that takes a process of its own."""
    messages: Messages = [{"role": "system", "content": f"You are number {number}."}, *as_messages("Hello?")]
    return (await gateway.post({"model": "sonnet", "messages": messages})).status_code


@pytest.mark.parametrize("recovers", [True, False])
async def test_without_room_for_processes_what_needs_none_is_answered(recovers: bool) -> None:
    under, owner = (AS_NOBODY_ELSE, NOBODY_ELSE) if os.getuid() == 0 else ((), None)
    async with running(echo(), config=WITHOUT_SPARES, under=under, owner=owner) as gateway:
        assert (await gateway.ask("One.")).how == "cold"
        await gateway.until_workers(idle=1)
        before, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        await limit_processes(gateway, under, 1)
        refused = [await another(gateway, number) for number in range(3)]
        assert set(refused) <= {500, 503}, refused
        answer = await gateway.ask("Two.")
        assert (answer.text, answer.how) == ("Two.", "warm")
        assert (await gateway.http.get("/livez")).status_code == 200
        await gateway.until_workers(idle=1)
        if recovers:
            await limit_processes(gateway, under, before)

            async def is_answered() -> bool:
                return await another(gateway, 0) == 200

            await gateway.until(is_answered)
        assert "unexpectedly" not in gateway.log
