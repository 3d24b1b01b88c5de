"""A background task that fails is begun again, with a line for each failure and ever longer pauses."""

import logging

import pytest
import trio
from trio.testing import MockClock

from claudegwd.supervised import PAUSE_FIRST_SECONDS, PAUSE_LAST_SECONDS, supervised


class Failing:
    """Fails so often, each time after so many seconds; remembers when it was begun."""

    def __init__(self, times: int, after: float = 0.0) -> None:
        self.times = times
        self.after = after
        self.begun: list[float] = []

    async def __call__(self) -> None:
        self.begun.append(trio.current_time())
        await trio.sleep(self.after)
        if len(self.begun) <= self.times:
            raise RuntimeError("what a client sent")

    @property
    def pauses(self) -> list[float]:
        pairs = zip(self.begun, self.begun[1:], strict=False)
        return [round(later - one - self.after, 3) for one, later in pairs]


async def test_it_goes_on_after_failures(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    task = Failing(8)
    await supervised(task, "sweep")
    assert task.pauses == [PAUSE_FIRST_SECONDS * 2**number for number in range(6)] + [PAUSE_LAST_SECONDS] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 8
    record = caplog.records[0]
    assert record.fields["kind"] == "sweep"  # type: ignore[attr-defined]
    assert record.exc_info


async def test_the_pause_is_short_again_once_it_has_worked(autojump_clock: MockClock) -> None:
    task = Failing(4, after=PAUSE_LAST_SECONDS + 1)
    await supervised(task, "sweep")
    assert set(task.pauses) == {PAUSE_FIRST_SECONDS}


async def test_cancelling_passes(autojump_clock: MockClock) -> None:
    task = Failing(1000)
    with trio.move_on_after(10) as scope:
        await supervised(task, "sweep")
    assert scope.cancelled_caught
    with trio.move_on_after(10) as scope:
        await supervised(trio.sleep_forever, "sweep")
    assert scope.cancelled_caught
    assert len(task.begun) == 4


async def test_it_ends_no_neighbour(autojump_clock: MockClock) -> None:
    neighbour = trio.Event()
    with trio.move_on_after(100):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervised, Failing(1000), "sweep")
            await trio.sleep(50)
            neighbour.set()
    assert neighbour.is_set()
