"""A turn's outputs on their way, with readers that are quick, late, or gone."""

import trio
import trio.testing

from claudegwd.translate.answer.outputs import TextPiece
from claudegwd.workers.worker.output_channel import MAX_UNREAD_BATCHES, Batch, OutputReceiver, open_output_channel

LAST = [TextPiece(b'"the end"')]


def piece(number: int) -> Batch:
    return [TextPiece(b'"%d"' % number)]


async def rest(receiver: OutputReceiver) -> list[Batch]:
    found = []
    while (batch := await receiver.receive()) is not None:
        found.append(batch)
    return found


async def test_all_comes_in_order_and_ends() -> None:
    sender, receiver = open_output_channel()
    assert sender.is_open
    await sender.deliver(piece(1))
    sender.tell_silence()
    sender.end(LAST)
    assert not sender.is_open
    assert await rest(receiver) == [piece(1), (), LAST]
    assert await receiver.receive() is None


async def test_a_late_reader_makes_the_writer_wait() -> None:
    sender, receiver = open_output_channel()
    for number in range(MAX_UNREAD_BATCHES):
        await sender.deliver(piece(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.deliver, LAST)
        await trio.testing.wait_all_tasks_blocked()
        sender.tell_silence()  # there is no room, and no silence either
        assert await receiver.receive() == piece(0)
    sender.end()
    assert (await rest(receiver))[-1] == LAST


async def test_the_last_batch_reaches_a_reader_that_is_far_behind() -> None:
    sender, receiver = open_output_channel()
    for number in range(MAX_UNREAD_BATCHES):
        await sender.deliver(piece(number))
    sender.end(LAST)  # without waiting: the process may be killed in this moment
    assert await rest(receiver) == [*map(piece, range(MAX_UNREAD_BATCHES)), LAST]


async def test_after_the_end_nothing_is_taken() -> None:
    sender, receiver = open_output_channel()
    sender.end(LAST)
    await sender.deliver(piece(1))
    sender.tell_silence()
    sender.end(piece(2))
    assert await rest(receiver) == [LAST]
