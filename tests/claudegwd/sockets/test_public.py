from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from claudegwd.daemon.systemd import Inherited
from claudegwd.sockets.problems import SocketError
from claudegwd.sockets.public import PublicListeners, keep_name, open_public


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def opened(stack: ExitStack, binds: list[str], inherited: list[Inherited] | None = None) -> PublicListeners:
    public = open_public(binds, inherited or [])
    stack.callback(public.close)
    return public


def handed_over(sock: socket.socket, name: str) -> Inherited:
    """What a manager does: a copy of the descriptor that a child would inherit."""
    descriptor = os.dup(sock.fileno())
    os.set_inheritable(descriptor, True)
    return Inherited(descriptor, name)


def answers(bind: str) -> bool:
    host, _, port = bind.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
        return True


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_listening(stack: ExitStack) -> None:
    public = opened(stack, ["127.0.0.1:0"])
    (listener,) = public.listeners
    assert public.binds == [f"127.0.0.1:{listener.socket.getsockname()[1]}"]
    assert answers(listener.bind)
    assert not listener.socket.getblocking()
    assert not listener.socket.get_inheritable()
    assert not listener.adopted


def test_all_addresses_of_both_families_on_one_port(stack: ExitStack) -> None:
    with ExitStack() as before:
        port = opened(before, ["0.0.0.0:0"]).binds[0].rpartition(":")[2]
    for binds in ([f"[::]:{port}"], [f"[::]:{port}", f"0.0.0.0:{port}"], [f"0.0.0.0:{port}", f"[::]:{port}"]):
        with ExitStack() as one:
            found = opened(one, binds).binds
            assert answers(f"127.0.0.1:{port}")
            if has_ipv6():
                assert sorted(found) == [f"0.0.0.0:{port}", f"[::]:{port}"]
                assert answers(f"[::1]:{port}")
    with ExitStack() as one:
        assert f"0.0.0.0:{port}" not in opened(one, [f"127.0.0.1:{port}", f"[::]:{port}"]).binds


def test_a_name_and_one_of_its_addresses(stack: ExitStack) -> None:
    with ExitStack() as before:
        port = opened(before, ["127.0.0.1:0"]).binds[0].rpartition(":")[2]
    for binds in ([f"127.0.0.1:{port}", f"localhost:{port}"], [f"localhost:{port}", f"127.0.0.1:{port}"]):
        with ExitStack() as one:
            assert opened(one, binds).binds.count(f"127.0.0.1:{port}") == 1
            assert answers(f"127.0.0.1:{port}")


def test_a_name_listens_on_all_its_addresses(stack: ExitStack) -> None:
    port = opened(stack, ["localhost:0"]).binds[0].rpartition(":")[2]
    found = {address[0] for *_, address in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    with ExitStack() as later:
        stack.close()
        binds = opened(later, [f"localhost:{port}"]).binds
        assert f"127.0.0.1:{port}" in binds
        assert len(binds) in {1, len(found)}


def test_a_port_in_use(stack: ExitStack) -> None:
    bind = opened(stack, ["127.0.0.1:0"]).binds[0]
    with pytest.raises(SocketError, match=f"cannot listen on {bind}: another program uses this port; stop it"):
        open_public([bind])


def test_of_several_all_or_none(stack: ExitStack) -> None:
    taken, free = opened(stack, ["127.0.0.1:0", "127.0.0.1:0"]).binds
    stack.close()
    with ExitStack() as later:
        opened(later, [taken])
        with pytest.raises(SocketError):
            open_public([free, taken])
        assert opened(later, [free]).binds == [free]


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        ("192.0.2.1:8000", "this machine has no such address"),
        ("no-such-host.invalid:8000", "its host is unknown"),
    ],
)
def test_addresses_that_are_not_ours(bind: str, said: str) -> None:
    with pytest.raises(SocketError, match=f"cannot listen on {bind}: {said}"):
        open_public([bind])


def test_names_for_the_store_have_no_colon() -> None:
    assert keep_name(("127.0.0.1", 8000)) == "tcp-127.0.0.1_8000"
    assert keep_name(("::1", 8000, 0, 0)) == "tcp-___1__8000"


def test_a_kept_listener_is_taken_back(stack: ExitStack) -> None:
    before = opened(stack, ["127.0.0.1:0"]).listeners[0]
    given = handed_over(before.socket, before.name)
    before.socket.close()
    public = opened(stack, ["127.0.0.1:0"], [given])
    (listener,) = public.listeners
    assert listener.adopted
    assert (listener.bind, listener.name) == (before.bind, before.name)
    assert not listener.socket.get_inheritable()
    assert not listener.socket.getblocking()
    assert answers(listener.bind)
    assert public.stale == []


def test_a_kept_listener_that_no_bind_names_is_closed(stack: ExitStack) -> None:
    before = opened(stack, ["127.0.0.1:0"]).listeners[0]
    given = handed_over(before.socket, "tcp-127.0.0.1_81")
    public = opened(stack, ["127.0.0.1:0"], [given])
    assert not public.listeners[0].adopted
    assert public.stale == ["tcp-127.0.0.1_81"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(given.descriptor)


def test_a_listener_of_another_address_is_not_taken_for_ours(stack: ExitStack) -> None:
    before = opened(stack, ["127.0.0.1:0"]).listeners[0]
    given = handed_over(before.socket, keep_name(("127.0.0.2", 0)))
    public = opened(stack, ["127.0.0.2:0"], [given])
    assert not public.listeners[0].adopted
    assert public.binds[0].startswith("127.0.0.2:")


def test_a_socket_unit_says_where_to_listen(stack: ExitStack) -> None:
    outside = opened(stack, ["127.0.0.1:0"]).listeners[0]
    public = opened(stack, ["127.0.0.1:1"], [handed_over(outside.socket, "claudegwd.socket")])
    assert public.binds == [outside.bind]
    assert public.listeners[0].adopted


def test_other_descriptors_are_left_alone(stack: ExitStack) -> None:
    unix = stack.enter_context(socket.socket(socket.AF_UNIX))
    silent = stack.enter_context(socket.socket(socket.AF_INET))
    given = [handed_over(unix, "control"), handed_over(silent, "x"), Inherited(999, "gone")]
    public = opened(stack, ["127.0.0.1:0"], given)
    assert (len(public.listeners), public.stale) == (1, [])
    for each in given[:2]:
        os.close(each.descriptor)
