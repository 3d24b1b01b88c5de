"""The outputs of one request's questions: in order for each choice, interleaved for several choices (`n`)."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress

import trio

from claudegwd.public.choice import Choice
from claudegwd.translate.answer.turn import Output

# How far the questions of one request, together, may run ahead of its reader, in batches.
MIXED_BATCHES = 64


async def first_of_all(choices: Sequence[Choice]) -> None:
    """Wait until every choice has its first token. Raises the error of the first choice that fails."""
    for choice in choices:
        await choice.first()


async def mixed_outputs(
    choices: Sequence[Choice], seconds: float
) -> AsyncGenerator[tuple[int, Sequence[Output]], None]:
    """Pairs of choice index and outputs until all have ended; outputs are empty after `seconds` of silence.

    Close it if you do not read it to its end.
    """
    if len(choices) == 1:
        async for outputs in _of_one(choices[0], seconds):
            yield 0, outputs
        return
    send, receive = trio.open_memory_channel[tuple[int, Sequence[Output] | Exception]](MIXED_BATCHES)
    with receive:  # otherwise those that feed it would wait forever for a reader that has left
        with send:
            for index, choice in enumerate(choices):
                choice.question.spawn(_feed, index, choice, seconds, send.clone())
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


async def _of_one(choice: Choice, seconds: float) -> AsyncIterator[Sequence[Output]]:
    while True:
        with trio.move_on_after(seconds):
            first = await choice.first()
            break
        yield ()
    yield first
    while (batch := await choice.next(seconds)) is not None:
        yield batch


async def _feed(
    index: int,
    choice: Choice,
    seconds: float,
    send: trio.MemorySendChannel[tuple[int, Sequence[Output] | Exception]],
) -> None:
    """Move one choice's outputs into the common channel; ends with the choice, or when the reader is gone."""
    async with send:
        with suppress(trio.BrokenResourceError):
            try:
                async for batch in _of_one(choice, seconds):
                    if batch:
                        await send.send((index, batch))
            except trio.BrokenResourceError:
                raise
            except Exception as error:  # noqa: BLE001 - passed to the reader, which raises it
                await send.send((index, error))
