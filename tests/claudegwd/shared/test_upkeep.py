"""Work with the store that is done when it is due, and again while the store is away."""

from __future__ import annotations

import trio
import trio.testing

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.upkeep import RETRY_SECONDS, Upkeep


async def test_it_is_done_when_due_and_again_until_the_store_takes_it(autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep()
    began, done = trio.current_time(), list[float]()

    async def work() -> None:
        done.append(trio.current_time() - began)
        if len(done) < 3:
            raise StoreAwayError("away")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upkeep.run, work)
        await trio.sleep(10)
        assert not done
        upkeep.due()
        await trio.sleep(10)
        assert done == [10, 10 + RETRY_SECONDS, 10 + 2 * RETRY_SECONDS]
        nursery.cancel_scope.cancel()


async def test_what_changes_meanwhile_is_not_lost(autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upkeep.run, work)
        upkeep.due()
        await trio.sleep(0.5)
        upkeep.due()
        upkeep.due()
        await trio.sleep(10)
        assert count == 2
        nursery.cancel_scope.cancel()
