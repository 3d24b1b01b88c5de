"""A turn's outputs on their way, with readers that are quick, late, or gone."""

import trio
import trio.testing

from claudegwd.translate.outputs import Text
from claudegwd.workers.outlet import MAX_UNREAD_BATCHES, Batch, Outlet, Reader

LAST = [Text(b'"the end"')]


def piece(number: int) -> Batch:
    return [Text(b'"%d"' % number)]


async def rest(reader: Reader) -> list[Batch]:
    found = []
    while (batch := await reader.receive()) is not None:
        found.append(batch)
    return found


async def test_all_comes_in_order_and_ends() -> None:
    outlet = Outlet()
    assert not outlet.is_open
    reader = outlet.open()
    await outlet.deliver(piece(1))
    outlet.tell_silence()
    outlet.end(LAST)
    assert not outlet.is_open
    assert await rest(reader) == [piece(1), (), LAST]
    assert await reader.receive() is None


async def test_a_late_reader_makes_the_writer_wait() -> None:
    outlet = Outlet()
    reader = outlet.open()
    for number in range(MAX_UNREAD_BATCHES):
        await outlet.deliver(piece(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outlet.deliver, LAST)
        await trio.testing.wait_all_tasks_blocked()
        outlet.tell_silence()  # there is no room, and no silence either
        assert await reader.receive() == piece(0)
    outlet.end()
    assert (await rest(reader))[-1] == LAST


async def test_the_last_batch_reaches_a_reader_that_is_far_behind() -> None:
    outlet = Outlet()
    reader = outlet.open()
    for number in range(MAX_UNREAD_BATCHES):
        await outlet.deliver(piece(number))
    outlet.end(LAST)  # without waiting: the process may be killed in this moment
    assert await rest(reader) == [*map(piece, range(MAX_UNREAD_BATCHES)), LAST]


async def test_after_the_end_nothing_is_taken() -> None:
    outlet = Outlet()
    reader = outlet.open()
    outlet.end(LAST)
    await outlet.deliver(piece(1))
    outlet.tell_silence()
    outlet.end(piece(2))
    assert await rest(reader) == [LAST]
