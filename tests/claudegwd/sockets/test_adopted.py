from __future__ import annotations

import os
import socket

from claudegwd.daemon.systemd import Inherited
from claudegwd.sockets.adopted import adopted


def test_only_listening_streams_of_the_family() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET) as silent,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        given = [Inherited(os.dup(each.fileno()), str(place)) for place, each in enumerate((tcp, udp, silent, unix))]
        ((each, sock),) = adopted([*given, Inherited(999, "gone")], (socket.AF_INET,))
        with sock:
            assert each.name == "0"
            assert sock.getsockname() == tcp.getsockname()
            assert not sock.get_inheritable()
            assert not sock.getblocking()
        for other in given[1:]:
            # Still open: they may be somebody else's.
            os.close(other.descriptor)


def test_a_file_is_no_socket() -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    assert list(adopted([Inherited(descriptor, "x")], (socket.AF_INET,))) == []
    os.close(descriptor)
