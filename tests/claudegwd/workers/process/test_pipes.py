"""Reading from a pipe: what is there, its end, and what somebody else reads first."""

import os
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from claudegwd.workers.process.pipes import read_some

Pipe = tuple[trio.lowlevel.FdStream, int]


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    read, write = os.pipe()
    async with trio.lowlevel.FdStream(read) as stream:
        yield stream, write
        os.close(write)


async def test_what_is_there_is_read_up_to_a_size(pipe: Pipe) -> None:
    stream, write = pipe
    os.write(write, b"abcdef")
    assert [await read_some(stream, 4), await read_some(stream, 4)] == [b"abcd", b"ef"]


async def test_the_end_is_empty() -> None:
    read, write = os.pipe()
    os.write(write, b"last")
    os.close(write)
    async with trio.lowlevel.FdStream(read) as stream:
        assert [await read_some(stream, 9), await read_some(stream, 9)] == [b"last", b""]


async def test_it_waits_on_if_somebody_else_has_read_it(pipe: Pipe) -> None:
    stream, write = pipe
    read: list[bytes] = []

    async def reader() -> None:
        read.append(await read_some(stream, 9))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        os.write(write, b"taken")
        assert os.read(stream.fileno(), 9) == b"taken"
        await trio.testing.wait_all_tasks_blocked()
        assert not read
        os.write(write, b"ours")
    assert read == [b"ours"]


async def test_closing_it_ends_the_wait(pipe: Pipe) -> None:
    stream, _ = pipe

    async def reader() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await read_some(stream, 9)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
