"""One connection, with a server that says what a test wants."""

from __future__ import annotations

import socket

import pytest
import trio
from hiredis import pack_command
from trio.testing import memory_stream_pair

from claudegwd.shared.connection import MAX_CALLS, StoreAwayError, StoreConnection, StoreRefusedError

SECONDS = 5.0


async def test_answers_messages_and_refusals_in_any_pieces() -> None:
    ours, theirs = memory_stream_pair()
    heard: list[tuple[bytes, bytes]] = []
    connection = StoreConnection(ours, lambda channel, content: heard.append((channel, content)))
    answers: dict[str, object] = {}

    async def ask(word: str) -> None:
        try:
            answers[word] = await connection.call(word, seconds=SECONDS)
        except StoreRefusedError as error:
            answers[word] = error.code

    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        async with trio.open_nursery() as asking:
            for word in ("A", "B", "C"):
                asking.start_soon(ask, word)
                while word.encode() not in await theirs.receive_some():
                    pass
            said = b"+one\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n-NOPERM no\r\n:7\r\n"
            for byte in said:
                await theirs.send_all(bytes([byte]))
        nursery.cancel_scope.cancel()
    assert answers == {"A": b"one", "B": "NOPERM", "C": 7}
    assert heard == [(b"c", b"hi")]


async def test_a_command_that_the_socket_takes_in_part_is_not_mixed_with_the_next() -> None:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in (left, right))
    connection = StoreConnection(ours, lambda *_: None, write_seconds=SECONDS)
    words = [b"a" * 4_000_000, b"b", b"c" * 4_000_000, b"d"]  # far more than a socket holds
    answers: list[object] = [None] * len(words)
    arrived = bytearray()

    async def ask(number: int) -> None:
        answers[number] = await connection.call(words[number], seconds=SECONDS)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        async with trio.open_nursery() as asking:
            for number in range(len(words)):
                asking.start_soon(ask, number)
                await trio.testing.wait_all_tasks_blocked()  # in this order, and nobody reads yet
            whole = b"".join(pack_command((word,)) for word in words)
            while len(arrived) < len(whole):
                arrived += await theirs.receive_some()
            await theirs.send_all(b":0\r\n:1\r\n:2\r\n:3\r\n")
        nursery.cancel_scope.cancel()
    assert arrived == whole
    assert answers == [0, 1, 2, 3]
    left.close()
    right.close()


async def test_who_waits_is_told_when_the_connection_ends() -> None:
    ours, theirs = memory_stream_pair()
    connection = StoreConnection(ours, lambda *_: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)

        async def end() -> None:
            await theirs.receive_some()
            await theirs.aclose()

        nursery.start_soon(end)
        with pytest.raises(StoreAwayError):
            await connection.call("PING", seconds=SECONDS)
        with pytest.raises(StoreAwayError):
            await connection.call("PING", seconds=SECONDS)


async def test_a_late_answer_is_not_taken_for_the_next_one(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = memory_stream_pair()
    connection = StoreConnection(ours, lambda *_: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        with pytest.raises(StoreAwayError, match="50 ms"):
            await connection.call("FIRST", seconds=0.05)

        async def answer() -> None:
            await theirs.receive_some()
            await theirs.send_all(b"+first\r\n+second\r\n")

        nursery.start_soon(answer)
        assert await connection.call("SECOND", seconds=SECONDS) == b"second"
        nursery.cancel_scope.cancel()


async def test_the_calls_that_wait_are_bounded(autojump_clock: trio.testing.MockClock) -> None:
    ours, _ = memory_stream_pair()
    connection = StoreConnection(ours, lambda *_: None)
    for _ in range(MAX_CALLS):
        with pytest.raises(StoreAwayError, match="no answer"):
            await connection.call("PING", seconds=0)
    with pytest.raises(StoreAwayError, match="too many calls wait"):
        await connection.call("PING", seconds=SECONDS)


async def test_what_is_no_store_is_not_listened_to() -> None:
    ours, theirs = memory_stream_pair()
    connection = StoreConnection(ours, lambda *_: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        nursery.start_soon(theirs.send_all, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(StoreAwayError, match="what answers is neither Valkey nor Redis"):
            await connection.call("PING", seconds=SECONDS)


async def test_an_end_is_not_called_silence() -> None:
    ours, theirs = memory_stream_pair()
    connection = StoreConnection(ours, lambda *_: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        nursery.start_soon(theirs.aclose)
        with pytest.raises(StoreAwayError, match="the connection ended"):
            await connection.call("PING", seconds=SECONDS)
