"""Sends log records to systemd's journal over its native protocol."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Final

JOURNAL_SOCKET: Final = Path("/run/systemd/journal/socket")

# A working journal takes microseconds. One that hangs must not block the event loop with every line.
PATIENCE_SECONDS: Final = 0.2
# linux/fcntl.h; the fcntl module has had these names only since 3.13.
_F_ADD_SEALS: Final = 1033
_ALL_SEALS: Final = 0x1 | 0x2 | 0x4 | 0x8


def is_our_stderr(env: Mapping[str, str], descriptor: int) -> bool:
    """Whether `descriptor` is the very stream that systemd connected to the journal: JOURNAL_STREAM is inherited by
    children, whose stderr may lead elsewhere."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return env.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class Journal:
    """Sends datagrams. `send` answers False if the journal did not take one; it then waits for none of the
    following until one goes through again."""

    def __init__(self, path: Path = JOURNAL_SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(PATIENCE_SECONDS)

    def send(self, datagram: bytes) -> bool:
        try:
            self._send(datagram)
        except OSError:
            self._socket.settimeout(0)
            return False
        self._socket.settimeout(PATIENCE_SECONDS)
        return True

    def close(self) -> None:
        self._socket.close()

    def _send(self, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, self._path)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            self._send_by_file(datagram)

    def _send_by_file(self, datagram: bytes) -> None:
        """Over the socket's buffer (about 200 kB) the journal takes a sealed file in memory instead."""
        descriptor = os.memfd_create("claudegwd-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(datagram)
            fcntl.fcntl(descriptor, _F_ADD_SEALS, _ALL_SEALS)
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]).tobytes())]
            self._socket.sendmsg([], passed, 0, self._path)
        finally:
            os.close(descriptor)
