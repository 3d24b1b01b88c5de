"""Reading from the pipes of a process, with few rounds of the event loop."""

import os

import trio


async def read_some(pipe: trio.abc.ReceiveStream, most: int) -> bytes:
    """Wait until there is something to read, and read up to `most` bytes; b"" at the end.

    Trio's own `receive_some` lets other tasks run and tries to read before it waits. Between the pieces of an answer
    there is nothing to read yet, so each piece took two rounds of the event loop and a failed read. Raises what
    `receive_some` raises.
    """
    descriptor: int = pipe.fileno()  # type: ignore[attr-defined]  # a trio FdStream
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        try:
            return os.read(descriptor, most)
        except BlockingIOError:
            pass  # somebody else has read it
        except OSError as error:
            raise trio.BrokenResourceError from error
