"""TCP listeners: taken over from the service manager if it kept them, otherwise opened."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from claudegwd.config import split_bind
from claudegwd.daemon.systemd import Inherited
from claudegwd.sockets.adopted import adopted
from claudegwd.sockets.problems import SocketError

# Connections that wait while all workers are busy; the kernel limits it to net.core.somaxconn (4096).
BACKLOG: Final = 1024
# Marks the listeners that we gave to the manager's store; others come from a .socket unit.
KEPT_PREFIX: Final = "tcp-"


@dataclass(frozen=True)
class Listener:
    """A listening socket, not blocking. `bind` is its actual address, `name` its name in the manager's store."""

    socket: socket.socket
    bind: str
    name: str
    adopted: bool = False


@dataclass
class PublicListeners:
    """All TCP listeners, closed together. `stale`: names in the manager's store that are no longer used, to be removed
    by the notifier."""

    listeners: list[Listener] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    @property
    def binds(self) -> list[str]:
        """The addresses that we actually listen on, whatever port 0, a name or a .socket unit stands for."""
        return [listener.bind for listener in self.listeners]

    def close(self) -> None:
        for listener in self.listeners:
            listener.socket.close()


def open_public(binds: Sequence[str], inherited: Sequence[Inherited] = ()) -> PublicListeners:
    """Listen on every bind ("host:port", checked by the configuration). If it raises SocketError, none stays open.

    A listener in `inherited` that we once kept under the name of a bind is taken instead of a new one. If a .socket
    unit hands over TCP listeners, they are used instead of all binds: its ListenStream= says where to listen.
    """
    with ExitStack() as undo:
        found = list(adopted(inherited, (socket.AF_INET, socket.AF_INET6)))
        for _, sock in found:
            undo.callback(sock.close)
        public = _from_socket_unit(found) or _from_binds(binds, found, undo)
        used = {listener.socket.fileno() for listener in public.listeners}
        for each, sock in found:
            if sock.fileno() not in used:
                public.stale.append(each.name)
                sock.close()
        undo.pop_all()
    return public


def keep_name(address: Any) -> str:
    """The name for the manager's store: printable ASCII without a colon, and the same for the same bind."""
    return KEPT_PREFIX + re.sub(r"[^A-Za-z0-9.-]", "_", _bind_text(address))


def _from_socket_unit(found: Sequence[tuple[Inherited, socket.socket]]) -> PublicListeners | None:
    given = [(each, sock) for each, sock in found if not each.name.startswith(KEPT_PREFIX)]
    if not given:
        return None
    return PublicListeners(
        [Listener(sock, _bind_text(sock.getsockname()), each.name, adopted=True) for each, sock in given]
    )


def _from_binds(
    binds: Sequence[str], found: Sequence[tuple[Inherited, socket.socket]], undo: ExitStack
) -> PublicListeners:
    kept = list(found)
    public = PublicListeners()
    places = [(bind, list(_find(bind))) for bind in binds]
    _add_ipv4(places)
    there: set[str] = set()
    for bind, addresses in places:
        missing = 0
        for family, address in addresses:
            if address[1] and _bind_text(address) in there:  # "127.0.0.1:8000" and "localhost:8000"
                continue
            listener = _take_back(kept, family, address) or _new(bind, family, address)
            if listener is None:
                missing += 1
                continue
            undo.callback(listener.socket.close)
            public.listeners.append(listener)
            there.add(listener.bind)
        if missing == len(addresses):
            raise SocketError(f"cannot listen on {bind}: this machine has no such address; fix server.bind")
    return public


def _find(bind: str) -> Iterator[tuple[socket.AddressFamily, Any]]:
    """The addresses of a bind; a name such as localhost has several."""
    host, port = split_bind(bind)
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        reason = error.strerror or "no answer"
        raise SocketError(f"cannot listen on {bind}: its host is unknown ({reason}); use an address") from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in answers))
    # With port 0, each address would get a different port, and nobody would know which to use.
    yield from addresses if port else addresses[:1]


def _add_ipv4(places: Sequence[tuple[str, list[tuple[socket.AddressFamily, Any]]]]) -> None:
    """ "[::]:8000" means all addresses, so IPv4 is added on a socket of its own, unless another bind has that port."""
    said = {address[1] for _, found in places for family, address in found if family == socket.AF_INET}
    for _, found in places:
        for family, address in tuple(found):
            port = address[1]
            if family == socket.AF_INET6 and address[0] == "::" and port and port not in said:
                found.append((socket.AF_INET, ("0.0.0.0", port)))  # noqa: S104 - as was asked for
                said.add(port)


def _take_back(
    kept: list[tuple[Inherited, socket.socket]], family: socket.AddressFamily, address: Any
) -> Listener | None:
    name = keep_name(address)
    for each, sock in kept:
        if each.name == name and sock.family == family and sock.getsockname()[0] == address[0]:
            kept.remove((each, sock))
            return Listener(sock, _bind_text(sock.getsockname()), name, adopted=True)
    return None


def _new(bind: str, family: socket.AddressFamily, address: Any) -> Listener | None:
    """None if this machine does not have the address (a name may stand for IPv6 where there is none)."""
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so that the listeners of each family can be shown, stored and taken back.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.settimeout(0)
    except OSError as error:
        sock.close()
        if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            return None
        raise SocketError(_refusal(bind, error)) from None
    return Listener(sock, _bind_text(sock.getsockname()), keep_name(address))


def _refusal(bind: str, error: OSError) -> str:
    port = bind.rpartition(":")[2]
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {bind}: another program uses this port; stop it (`ss -ltnp 'sport = :{port}'` shows "
            "it) or choose another port in server.bind"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"cannot listen on {bind}: this user may not use the port; choose one above 1023 in server.bind"
    return f"cannot listen on {bind}: {error.strerror or 'refused'}; fix server.bind"


def _bind_text(address: Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
