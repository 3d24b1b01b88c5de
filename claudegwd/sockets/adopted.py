"""Listening sockets from descriptors that the service manager passed."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence

from claudegwd.daemon.systemd import Inherited


def adopted(
    inherited: Sequence[Inherited], families: Collection[socket.AddressFamily]
) -> Iterator[tuple[Inherited, socket.socket]]:
    """The listening stream sockets of these families, not blocking; all other descriptors are left alone."""
    for each in inherited:
        try:
            sock = socket.socket(fileno=each.descriptor)
        except OSError:
            continue
        if sock.family not in families or not _listens(sock):
            sock.detach()
            continue
        sock.settimeout(0)
        # The manager passes them without close-on-exec; a CLI process must not hold our ports.
        os.set_inheritable(sock.fileno(), False)  # noqa: FBT003 - takes no names
        yield each, sock


def _listens(sock: socket.socket) -> bool:
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and sock.type == socket.SOCK_STREAM
    except OSError:
        return False
