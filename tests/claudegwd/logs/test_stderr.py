"""A reader that stands still costs lines, and never time."""

from __future__ import annotations

import logging
import os
import pty
import socket
import termios
import time
import tty
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from claudegwd.config.schema import LogConfig
from claudegwd.logs import LogRing, event, log, setup


def pipe(_: ExitStack) -> tuple[int, int]:
    return os.pipe()


def terminal(_: ExitStack) -> tuple[int, int]:
    reader, writer = pty.openpty()
    tty.setraw(writer)
    return reader, writer


def paused_terminal(_: ExitStack) -> tuple[int, int]:
    reader, writer = terminal(_)
    termios.tcflow(writer, termios.TCOOFF)
    return reader, writer


def stream_socket(_: ExitStack) -> tuple[int, int]:
    reader, writer = socket.socketpair()
    return reader.detach(), writer.detach()


@pytest.mark.parametrize("make", [pipe, terminal, paused_terminal, stream_socket])
@pytest.mark.parametrize("length", [1, 300, 9000])
def test_lines_are_lost_and_counted(make: Callable[[ExitStack], tuple[int, int]], length: int) -> None:
    with ExitStack() as stack:
        reader, writer = make(stack)
        stack.callback(os.close, reader)
        stream = stack.enter_context(os.fdopen(writer, "w"))
        handler = setup(LogConfig(format="console"), {"NO_COLOR": "1"}, LogRing(), stream=stream)
        written = 0
        while handler.lost < 10:  # ends: no such buffer holds a megabyte
            event(log, logging.INFO, f"line {written} " + "x" * length)
            written += 1
            assert written < 1_000_000
        if make is paused_terminal:
            termios.tcflow(writer, termios.TCOON)
        os.set_blocking(reader, False)
        # The system moves what a terminal was written at its leisure: more of it may fit by the time a line comes, and
        # not all of it is there to be read at once. So what is compared is the sum.
        text = read_all(reader)
        deadline = time.monotonic() + 10
        while not text.endswith("seen again\n"):
            assert time.monotonic() < deadline
            event(log, logging.INFO, "seen again")
            written += 1
            text += read_all(reader)
        gaps = [int(line.rpartition("count=")[2]) for line in text.splitlines() if "log lines were lost" in line]
        assert gaps
        assert sum(gaps) == handler.lost
        assert len(text.splitlines()) - len(gaps) + sum(gaps) == written


def read_all(reader: int) -> str:
    pieces = []
    try:
        while piece := os.read(reader, 65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces).decode()
