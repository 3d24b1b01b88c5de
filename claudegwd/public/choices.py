"""The outputs of one request's questions, one after the other for each, mixed as they come for several (`n`)."""

from collections.abc import AsyncIterator, Sequence

import trio

from claudegwd.translate.turn import Output
from claudegwd.workers.asking import Asking

# How far the questions of one request may run ahead of its reader, in batches, all together.
MIXED_BATCHES = 64


class Choices:
    """One question for each choice."""

    def __init__(self, askings: Sequence[Asking]) -> None:
        self.askings = askings
        self._started: set[int] = set()

    async def first(self) -> None:
        """Wait until every choice has its first token. Raises the error of the first that has none."""
        for asking in self.askings:
            await asking.first()

    async def outputs(self, seconds: float) -> AsyncIterator[tuple[int, Sequence[Output]]]:
        """Pairs of choice and outputs until all have ended; outputs are empty after `seconds` of silence."""
        if len(self.askings) == 1:
            async for outputs in _of_one(self.askings[0], seconds):
                yield 0, outputs
            return
        send, receive = trio.open_memory_channel[tuple[int, Sequence[Output] | Exception]](MIXED_BATCHES)
        async with send:
            for index, asking in enumerate(self.askings):
                asking.spawn(_feed, index, asking, seconds, send.clone())
        while True:
            index = 0
            batch: Sequence[Output] | Exception = ()
            with trio.move_on_after(seconds):
                try:
                    index, batch = await receive.receive()
                except trio.EndOfChannel:
                    return
            if isinstance(batch, Exception):
                raise batch
            yield index, batch


async def _of_one(asking: Asking, seconds: float) -> AsyncIterator[Sequence[Output]]:
    while True:
        with trio.move_on_after(seconds):
            first = await asking.first()
            break
        yield ()
    yield first
    while (batch := await asking.next()) is not None:
        yield batch


async def _feed(
    index: int,
    asking: Asking,
    seconds: float,
    send: trio.MemorySendChannel[tuple[int, Sequence[Output] | Exception]],
) -> None:
    """Move one question's outputs into the common channel; ends with the question, or when the reader is gone."""
    async with send:
        try:
            async for batch in _of_one(asking, seconds):
                if batch:
                    await send.send((index, batch))
        except trio.BrokenResourceError:
            return
        except Exception as error:  # noqa: BLE001 - handed over to the reader, which raises it
            await send.send((index, error))
