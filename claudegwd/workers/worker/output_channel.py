"""The channel for one turn's outputs, from the worker to its reader."""

from collections.abc import Sequence
from contextlib import suppress

import trio

from claudegwd.translate.answer.outputs import Output

# Batches of outputs that a slow client may leave unread before its CLI is blocked. A batch is what one read of the pipe
# contained, so this is at most a few hundred kilobytes.
MAX_UNREAD_BATCHES = 64

Batch = Sequence[Output]


class OutputReceiver:
    """The reader's end: one turn's outputs."""

    def __init__(self, channel: trio.MemoryReceiveChannel[Batch]) -> None:
        self._channel = channel
        self.last: Batch = ()  # if the channel had no room for it

    async def receive(self) -> Batch | None:
        """The next batch, () for a heartbeat of silence; None after the last."""
        try:
            return await self._channel.receive()
        except trio.EndOfChannel:
            last, self.last = self.last, ()
            return last or None


class OutputSender:
    """The worker's end, open from the question to the end of its answer. Used only by the worker's own tasks."""

    def __init__(self, channel: trio.MemorySendChannel[Batch], receiver: OutputReceiver) -> None:
        self._channel: trio.MemorySendChannel[Batch] | None = channel
        self._receiver = receiver

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    def tell_silence(self) -> None:
        """Send an empty batch if the reader is waiting."""
        if self._channel is not None:
            with suppress(trio.WouldBlock, trio.BrokenResourceError):
                self._channel.send_nowait(())

    async def deliver(self, batch: Batch) -> None:
        """Hand over a batch. Waits while the reader is behind, which makes the CLI wait too; ending the process cancels
        this. A reader that is gone has closed the worker."""
        if self._channel is not None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                try:
                    self._channel.send_nowait(batch)
                except trio.WouldBlock:
                    await self._channel.send(batch)

    def end(self, batch: Batch = ()) -> None:
        """Hand over the last batch and close. Never waits, as the process may be about to end, and loses nothing,
        however far behind the reader is."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        if batch:
            try:
                channel.send_nowait(batch)
            except trio.WouldBlock:
                self._receiver.last = batch
            except trio.BrokenResourceError:
                pass  # the reader is gone
        channel.close()


def open_output_channel() -> tuple[OutputSender, OutputReceiver]:
    """The two ends, for a new turn."""
    send, receive = trio.open_memory_channel[Batch](MAX_UNREAD_BATCHES)
    receiver = OutputReceiver(receive)
    return OutputSender(send, receiver), receiver
