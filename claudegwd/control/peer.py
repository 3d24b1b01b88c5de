"""Who is at the other end of a Unix socket, according to the kernel."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, Protocol

# <sys/un.h> and <sys/ucred.h> of macOS: level SOL_LOCAL, option LOCAL_PEERCRED, struct xucred begins version, uid.
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1
_XUCRED_BYTES: Final = 76
# Linux's struct ucred: pid, uid, gid; the uid of no peer is -1, which no user has.
_UCRED: Final = "iII"
_NOBODY: Final = 0xFFFF_FFFF


class HasOptions(Protocol):
    """A socket of the standard library or of trio."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


@dataclass(frozen=True)
class Peer:
    """The process that connected, as of that moment. `pid` and `gid` are -1 if the system does not tell."""

    uid: int
    pid: int = -1
    gid: int = -1


def peer_of(sock: HasOptions) -> Peer | None:
    """The peer of a connected Unix socket; None if the system does not tell."""
    try:
        if sys.platform == "darwin":
            _, uid = struct.unpack_from("II", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
            return Peer(uid)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_UCRED))
    except OSError:
        return None
    pid, uid, gid = struct.unpack(_UCRED, credentials)
    # The pid is 0 if that process is outside our PID namespace: a daemon in a container, controlled from its host.
    return Peer(uid, pid or -1, gid) if uid != _NOBODY else None
