import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from claudegwd.openai_api.errors import TooMany
from claudegwd.openai_api.sse import KEEP_ALIVE
from claudegwd.store.running_responses import MAX_EVENT_BYTES, MAX_RUNNING, RunningResponse, RunningResponses


def event(number: int) -> bytes:
    return b"event: e\ndata: %d\n\n" % number


def response() -> RunningResponse:
    return RunningResponse(lambda: b"{}", lambda: None)


async def read(running: RunningResponse, after: int = -1, heartbeat: float = 5) -> list[bytes]:
    return [piece async for piece in running.follow(after, heartbeat)]


async def test_each_reader_gets_what_is_behind_its_number() -> None:
    running = response()
    running.add(event(0) + event(1))
    running.add(KEEP_ALIVE + event(2))
    running.end()
    assert await read(running) == [event(0), event(1), event(2)]
    assert await read(running, 1) == [event(2)]
    assert await read(running, 2) == await read(running, 99) == []


async def test_readers_wait_for_what_comes(autojump_clock: MockClock) -> None:
    running = response()
    got: list[bytes] = []

    async def follow() -> None:
        got.extend(await read(running, 0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        running.add(event(0) + event(1))
        await trio.sleep(7)
        running.add(event(2))
        running.end()
        await running.until_ended()
    assert got == [event(1), KEEP_ALIVE, event(2)]


async def test_too_long_a_response_loses_its_events_and_its_readers(autojump_clock: MockClock) -> None:
    running = response()
    running.add(b"x" * MAX_EVENT_BYTES + b"\n\n")
    assert running.is_whole
    running.add(event(1))
    assert not running.is_whole
    assert await read(running) == []


async def test_each_owner_sees_its_own() -> None:
    ones = RunningResponses()
    running = response()
    ones.begin("a", "resp_1", running)
    assert ones.get("a", "resp_1") is running
    assert ones.get("b", "resp_1") is None
    ones.end("a", "resp_1")
    assert running.ended
    assert ones.get("a", "resp_1") is running
    ones.forget("a", "resp_1")
    assert ones.get("a", "resp_1") is None


async def test_of_those_that_ended_the_oldest_lose_their_events() -> None:
    ones = RunningResponses(max_bytes=4096)
    made = [response() for _ in range(3)]
    for number, running in enumerate(made):
        ones.begin("a", f"resp_{number}", running)
        running.add(b"x" * 1500 + b"\n\n")
        ones.end("a", f"resp_{number}")
    assert [running.is_whole for running in made] == [False, True, True]
    assert ones.get("a", "resp_0") is None


async def test_a_client_has_so_many_under_way_and_no_more() -> None:
    ones = RunningResponses()
    for number in range(MAX_RUNNING):
        ones.check_room("a")
        ones.begin("a", f"resp_{number}", response())
    with pytest.raises(TooMany):
        ones.check_room("a")
    with pytest.raises(TooMany):  # that came in with others, when there still was room
        ones.begin("a", "resp_more", response())
    ones.check_room("b")
    ones.end("a", "resp_0")
    ones.check_room("a")


async def test_a_drain_waits_for_all(autojump_clock: MockClock) -> None:
    ones = RunningResponses()
    await ones.until_idle()
    ones.begin("a", "resp_0", response())
    ones.begin("b", "resp_0", response())
    with trio.move_on_after(1) as waiting:
        await ones.until_idle()
    assert waiting.cancelled_caught

    async def end() -> None:
        await trio.sleep(1)
        ones.end("a", "resp_0")
        await trio.sleep(1)
        ones.end("b", "resp_0")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        await ones.until_idle()
        assert ones.get("b", "resp_0") is not None
