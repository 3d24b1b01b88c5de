from __future__ import annotations

import os
import socket

from claudegwd.control.peer import Peer, peer_of


def test_the_other_end_of_a_unix_socket() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_of(left) == Peer(os.getuid(), os.getpid(), os.getgid())


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
