"""Namespaces for network, processes (and IPC) and mounts, as far as this user may create them."""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import reduce

from claudegwd.workspaces.kernel import call, checked, libc, open_real

# Numbers from the kernel's uapi headers; those of the system calls are the same on every architecture.
NEW_MOUNT, _NEW_USER, NEW_PID, NEW_NET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_NEW_IPC = 0x08000000
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_HERE, _RECURSIVE, _NO_LINKS, _EMPTY_PATH_AT = -100, 0x8000, 0x100, 0x1000
_EMPTY_PATH, _EMPTY_PATH_TO = 4, 0x40  # of move_mount
_CLONE, _CLOSE_ON_EXEC = 1, os.O_CLOEXEC
_READ_ONLY, _PRIVATE = 1, 1 << 18
_CREATE, _CLOSE_MOUNT_ON_EXEC, _NO_PROGRAMS = 6, 1, 0xE  # the last: nosuid, nodev, noexec
_SET_FLAGS, _UP = 0x8914, 1  # of a network interface


def available(wanted: int, writable: "list[str]") -> int:
    """Which of these are available. Tried in another process: one that gets halfway in cannot go back."""
    each = [flag for flag in (NEW_PID, NEW_NET, NEW_MOUNT) if flag & wanted and _can(flag, writable)]
    together = reduce(int.__or__, each, 0)
    return together if together and _can(together, writable) else 0


def _can(flags: int, writable: "list[str]") -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            enter(flags, writable)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def enter(flags: int, writable: "list[str]", kept: "Mapping[str, bool] | None" = None) -> None:
    """Enter them: network and mounts right away, processes from the next fork. Raises OSError.

    In a mount namespace, only `writable` (real paths) can be changed: files as well as their mode, owner, times and
    attributes.
    `kept`, outermost first: what in there must stay in place, and whether it is writable.
    """
    user, group = os.getuid(), os.getgid()
    flags |= _NEW_IPC if flags & NEW_PID else 0
    checked(libc.unshare(flags if user == 0 else flags | _NEW_USER))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    if flags & NEW_NET:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    if flags & NEW_MOUNT:
        _read_only_but(sorted(set(writable)), kept)


def own_proc() -> None:
    """For the first process of a namespace with its own mounts: a /proc that shows only this namespace. Raises OSError
    if the kernel refuses: in a container, or if something is mounted over parts of /proc."""
    proc = call(_FSOPEN, b"proc", _CLOSE_MOUNT_ON_EXEC)
    call(_FSCONFIG, proc, _CREATE, None, None, 0)
    mount = call(_FSMOUNT, proc, _CLOSE_MOUNT_ON_EXEC, _READ_ONLY | _NO_PROGRAMS)
    call(_MOVE_MOUNT, mount, b"", _HERE, b"/proc", _EMPTY_PATH)
    os.close(mount)
    os.close(proc)


def _read_only_but(places: "list[str]", kept: "Mapping[str, bool] | None") -> None:
    """Parents come first, or they would cover what is in them."""
    _set_all(0, _PRIVATE)  # root gets no user namespace of its own, and its mounts would show outside
    # Cloned first, as they are: a mount in there that the system made read-only stays so. Of a device only the node
    # would become writable, which nobody wants: writes to the device itself still go through.
    trees = [(place, tree) for place in places if (tree := _cloned(place)) is not None]
    if "/" not in places:
        _set_all(_READ_ONLY, 0)
    for place, tree in trees:
        try:
            where = open_real(place)
        except OSError:  # something else stands there now: it stays read-only
            os.close(tree)
            continue
        call(_MOVE_MOUNT, tree, b"", where, b"", _EMPTY_PATH | _EMPTY_PATH_TO)
        os.close(where)
        os.close(tree)
    for path, writes in (kept or {}).items():
        with suppress(FileNotFoundError):  # it has just disappeared
            _keep(path, writes=writes)
    os.chdir(os.getcwd())  # we are still in the mount below


def _cloned(place: str) -> "int | None":
    """A copy of the mounts there; None if there is no directory or file of that real path."""
    try:
        found = open_real(place)
    except OSError:
        return None
    mode = os.fstat(found).st_mode
    tree = None
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        tree = call(_OPEN_TREE, found, b"", _CLONE | _CLOSE_ON_EXEC | _RECURSIVE | _EMPTY_PATH_AT)
    os.close(found)
    return tree


def _keep(path: str, *, writes: bool) -> None:
    """Mount it on itself: a mount cannot be removed, moved or replaced. Links are left as they are."""
    if os.path.islink(path) or not os.path.exists(path):
        return
    tree = call(_OPEN_TREE, _HERE, os.fsencode(path), _CLONE | _CLOSE_ON_EXEC | _RECURSIVE | _NO_LINKS)
    if not writes:
        _set_all(_READ_ONLY, 0, tree)
    call(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(path), _EMPTY_PATH)
    os.close(tree)


def _set_all(attributes: int, propagation: int, tree: "int | None" = None) -> None:
    """Of all mounts, or of those in a tree."""
    wanted = struct.pack("=QQQQ", attributes, 0, propagation, 0)
    if tree is None:
        call(_MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, wanted, len(wanted))
    else:
        call(_MOUNT_SETATTR, tree, b"", _RECURSIVE | _EMPTY_PATH_AT, wanted, len(wanted))
