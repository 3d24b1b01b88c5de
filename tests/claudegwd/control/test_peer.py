from __future__ import annotations

import os
import socket
import struct
import sys

import pytest

from claudegwd.control.peer import Peer, peer_of


def test_the_other_end_of_a_unix_socket() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_of(left) == Peer(os.getuid(), os.getpid(), os.getgid())


@pytest.mark.skipif(sys.platform != "linux", reason="the credentials are Linux's")
def test_a_peer_outside_our_pid_namespace_is_known_by_its_uid() -> None:
    class Outside:
        def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
            assert (level, optname) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("iII", 0, 3_000_000_000, 1000)[:buflen]  # as the kernel fills it in (observed)

    assert peer_of(Outside()) == Peer(3_000_000_000, -1, 1000)


def test_no_peer_over_tcp() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert peer_of(accepted) is None


def test_a_closed_socket() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    left.close()
    right.close()
    assert peer_of(left) is None
