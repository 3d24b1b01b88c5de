from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from claudegwd.config.schema import NotifyConfig
from claudegwd.notify.errors import DeliveryError, TryAgainError
from claudegwd.notify.notice import Notice, NoticeEvent
from claudegwd.notify.notifications import LAST_SECONDS, QUEUE_MAX, RETRY_SECONDS, Notifications, Target
from claudegwd.store.database import Database
from tests.claudegwd.notify.test_post import NO_CONTENT

NOW = 1_800_000_000.0


def notice(subject: str = "work", at: float = NOW) -> Notice:
    return Notice(NoticeEvent.KEY_INVALID, at, subject, "it died")


def made(database: Database | None = None, **config: object) -> Notifications:
    found = Notifications(database or Database(None), {"PATH": "/usr/bin:/bin"}, "gateway", lambda: NOW)
    found.configure(NotifyConfig(**config))  # type: ignore[arg-type]
    return found


def writing_to(directory: Path) -> tuple[str, ...]:
    """A command that appends what it gets to a file."""
    return ("/bin/sh", "-c", f"cat >> {directory}/told.new; mv {directory}/told.new {directory}/$$.told")


def told(directory: Path) -> list[str]:
    return sorted(json.loads(file.read_text())["subject"] for file in directory.glob("*.told"))


@asynccontextmanager
async def run(notifications: Notifications) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifications.run)
        yield
        nursery.cancel_scope.cancel()


async def test_what_waits_at_the_end_is_told_still(tmp_path: Path) -> None:
    notifications = made(command=writing_to(tmp_path))
    async with run(notifications):
        for subject in ("a", "b", "a", "c"):
            notifications.tell(notice(subject))
    assert told(tmp_path) == ["a", "a", "b", "c"]


async def test_a_command_that_hangs_delays_nobody(tmp_path: Path, autojump_clock: object) -> None:
    notifications = made(command=("/bin/sleep", "1000"))
    async with run(notifications):
        for number in range(1000):
            notifications.tell(notice(str(number)))
        started = trio.current_time()
        await trio.lowlevel.checkpoint()
    assert trio.current_time() - started <= LAST_SECONDS + 4


async def test_both_targets_and_a_reload(tmp_path: Path) -> None:
    got: list[bytes] = []

    async def handle(stream: trio.SocketStream) -> None:
        got.append(await stream.receive_some(65536))
        await stream.send_all(NO_CONTENT)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(handle, 0, host="127.0.0.1", **kw))
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        notifications = made(command=writing_to(tmp_path), url=url)
        results = await notifications.test()
        assert sorted((row["target"], row["ok"], row["error"]) for row in results) == [
            ("command", True, None),
            ("url", True, None),
        ]
        async with run(notifications):
            notifications.tell(notice("first"))
        notifications.configure(NotifyConfig(url=url))
        async with run(notifications):
            notifications.tell(notice("second"))
        notifications.configure(NotifyConfig())
        async with run(notifications):
            notifications.tell(notice("third"))
        assert await notifications.test() == []
        nursery.cancel_scope.cancel()
    assert told(tmp_path) == ["claudegwd", "first"]
    assert [b'"subject": "second"' in request for request in got] == [False, False, True]


async def test_a_test_says_why_it_failed(tmp_path: Path) -> None:
    notifications = made(command=("/bin/false",), url="http://127.0.0.1:1/secret")
    rows = {row["target"]: row for row in await notifications.test()}
    assert (rows["command"]["ok"], rows["command"]["error"]) == (False, "the command exited with status 1")
    assert (rows["url"]["ok"], rows["url"]["error"]) == (
        False,
        "its server cannot be reached: Connection refused",
    )


async def test_nobody_is_told_the_same_after_a_restart(tmp_path: Path) -> None:
    lasting = Notice(NoticeEvent.WINDOW_FULL, NOW, "work", "", NOW + 60, "5h", NOW + 60)
    for subject in ("first", "second"):
        database = Database(tmp_path / "state.db")
        notifications = made(database, command=writing_to(tmp_path))
        await notifications.load()
        async with run(notifications):
            notifications.tell(lasting)
            notifications.tell(notice(subject))
        database.close()
    assert told(tmp_path) == ["first", "second", "work"]


async def test_posts_are_tried_again_for_a_while(autojump_clock: object) -> None:
    tries: list[float] = []

    async def send(_: bytes) -> None:
        tries.append(trio.current_time())
        raise TryAgainError("not now")

    target = Target("url", RETRY_SECONDS)
    target.send = send
    target.put(b"")
    stopping = trio.Event()
    stopping.set()
    await target.run(stopping)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses == pytest.approx(RETRY_SECONDS)

    async def refuse(_: bytes) -> None:
        tries.append(trio.current_time())
        raise DeliveryError("never")

    tries.clear()
    target.send = refuse
    target.put(b"")
    await target.run(stopping)
    assert len(tries) == 1


async def test_the_queue_is_bounded() -> None:
    sent: list[bytes] = []

    async def send(body: bytes) -> None:
        sent.append(body)

    target = Target("command")
    target.send = send
    for number in range(QUEUE_MAX + 50):
        target.put(b"%d" % number)
    stopping = trio.Event()
    stopping.set()
    await target.run(stopping)
    assert sent == [b"%d" % number for number in range(QUEUE_MAX)]
