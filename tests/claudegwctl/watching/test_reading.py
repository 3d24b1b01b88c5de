from __future__ import annotations

import queue
from pathlib import Path

import pytest
import trio

from claudegwctl.client import Daemon
from claudegwctl.problems import NotRunning, Problem
from claudegwctl.watching.reading import Look, Reader, look
from tests.small_gateway import SmallGateway, running

FOR_EVER = 3600.0


async def found(told: queue.Queue[Look | Problem]) -> Look | Problem:
    return await trio.to_thread.run_sync(lambda: told.get(timeout=20))


async def test_one_look(gateway: SmallGateway, socket: Path) -> None:
    seen = await trio.to_thread.run_sync(look, Daemon(socket))
    assert (seen.status["state"], seen.requests) == ("ready", gateway.requests())
    assert seen.as_json() == {
        "at": seen.at, "status": seen.status, "requests": seen.requests,
        "approvals": gateway.workspaces.approvals.rows(),
    }  # fmt: skip


async def test_nobody_there(nowhere: Path) -> None:
    with pytest.raises(NotRunning):
        await trio.to_thread.run_sync(look, Daemon(nowhere))


async def test_it_looks_again_when_it_is_told_to_and_rests_while_paused(gateway: SmallGateway, socket: Path) -> None:
    told: queue.Queue[Look | Problem] = queue.Queue()
    reader = Reader(Daemon(socket), FOR_EVER, told.put)
    reader.start()
    try:
        assert isinstance(await found(told), Look)
        gateway.generation = 7
        reader.look_now()
        second = await found(told)
        assert isinstance(second, Look)
        assert second.status["config_generation"] == 7
        reader.pause(True)
        reader.look_now()
        reader.pause(False)
        assert isinstance(await found(told), Look)
    finally:
        reader.stop()


async def test_a_daemon_that_goes_and_comes_back(gateway: SmallGateway) -> None:
    told: queue.Queue[Look | Problem] = queue.Queue()
    async with running(gateway) as path:
        reader = Reader(Daemon(path), 0.01, told.put)
        reader.start()
        assert isinstance(await found(told), Look)
    try:
        while not isinstance(await found(told), NotRunning):
            pass
        async with running(gateway):
            while not isinstance(await found(told), Look):
                pass
    finally:
        reader.stop()


async def test_an_answer_that_cannot_be_read_is_told(gateway: SmallGateway, socket: Path) -> None:
    gateway.requests = lambda: None  # type: ignore[method-assign, assignment, return-value]
    told: queue.Queue[Look | Problem] = queue.Queue()
    reader = Reader(Daemon(socket), FOR_EVER, told.put)
    reader.start()
    try:
        assert "runs another version" in str(await found(told))
    finally:
        reader.stop()
