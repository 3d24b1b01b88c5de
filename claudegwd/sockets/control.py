"""The control socket: never taken from a running daemon, always from one that died.

The order is: make the directory writable only by us; take a lock file, which keeps two starting daemons apart; connect,
to see whether a daemon answers; bind the new socket under a temporary name with its final mode and group, listen, and
rename it over the old one. So the path always leads to a socket, and is never more widely accessible than it should be.
"""

from __future__ import annotations

import fcntl
import grp
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

from claudegwd.config import ConfigError
from claudegwd.contract import MAX_SOCKET_PATH_BYTES
from claudegwd.daemon.systemd import Inherited
from claudegwd.sockets.adopted import adopted
from claudegwd.sockets.problems import SocketError

# People, and a monitor or two.
BACKLOG: Final = 64
# For a running daemon, the kernel accepts a connection at once; this is for one whose queue is full.
CONNECT_SECONDS: Final = 1.0
SOCKET_MODE: Final = 0o660
DIRECTORY_MODE: Final = 0o700
GROUP_DIRECTORY_MODE: Final = 0o710


class ControlSocket:
    """The open socket. Closing it removes the path if it is still ours, and then releases the lock."""

    def __init__(self, sock: socket.socket, path: Path, lock: int | None, group: str = "") -> None:
        self.socket = sock
        self.path = path
        self._lock = lock
        self._group = group
        # The service manager removes the path of a socket unit.
        self._inode = _inode(path) if lock is not None else None

    def is_there(self) -> bool:
        """Whether connections to the path reach us. For a socket unit, that is up to the service manager."""
        return self._inode is None or _inode(self.path) == self._inode

    def open_again(self) -> None:
        """Replace a `socket` whose path was removed. If it raises SocketError or ConfigError, nothing has changed."""
        group_id = _group_id(self._group) if self._group else -1
        _prepare_directory(self.path.parent, group_id)
        with ExitStack() as undo:
            lock = self._lock
            if lock is None or _inode(_lock_path(self.path)) != _inode_of(lock):
                lock = _take_lock(self.path)
                undo.callback(os.close, lock)
            sock = _listen(self.path, self._group, group_id, undo)
            undo.pop_all()
        self.socket.close()
        self.socket, self._inode = sock, _inode(self.path)
        if self._lock is not None and self._lock != lock:
            os.close(self._lock)
        self._lock = lock

    def close(self) -> None:
        if self._inode is not None and _inode(self.path) == self._inode:
            with suppress(OSError):
                self.path.unlink()
        self.socket.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_control(path: Path, group: str = "", inherited: Sequence[Inherited] = ()) -> ControlSocket:
    """Open the control socket at `path` for the members of `group` ("" means the process's own group).

    Raises SocketError, also when another daemon answers there, and ConfigError for a group that does not exist.
    A listening Unix socket in `inherited` is used instead: then a .socket unit determines its path.
    """
    given = _from_socket_unit(inherited)
    if given is not None:
        return given
    group_id = _group_id(group) if group else -1
    for each in (path, _temporary(path)):
        if len(os.fsencode(each)) > MAX_SOCKET_PATH_BYTES:
            raise SocketError(
                f"cannot open the control socket {path}: a socket path can have at most {MAX_SOCKET_PATH_BYTES} "
                "bytes; choose a shorter one with CLAUDEGWD_SOCKET or control.socket"
            )
    _prepare_directory(path.parent, group_id)
    with ExitStack() as undo:
        lock = _take_lock(path)
        undo.callback(os.close, lock)
        sock = _listen(path, group, group_id, undo)
        undo.pop_all()
    return ControlSocket(sock, path, lock, group)


def _prepare_directory(directory: Path, group_id: int) -> None:
    try:
        if not directory.is_dir():
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            if group_id != -1:
                # Its members may reach the socket, but not list the directory.
                os.chown(directory, -1, group_id)
                directory.chmod(GROUP_DIRECTORY_MODE)
        found = directory.stat()
    except OSError as error:
        reason = error.strerror or "refused"
        raise SocketError(
            f"cannot create {directory} for the control socket: {reason}; set control.socket to another place"
        ) from None
    if found.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(found.st_mode) & 0o022:
        raise SocketError(
            f"cannot open the control socket in {directory}: others can write there; set control.socket to a path "
            "in a directory of your own (mode 0755 or less)"
        )


def _take_lock(path: Path) -> int:
    """Lock a file until the process ends. The file stays: otherwise two processes could lock different ones."""
    name = _lock_path(path)
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SocketError(
            f"cannot create {name}: {error.strerror or 'refused'}; set control.socket to another place"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
        os.close(lock)
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise SocketError(_already_running(path, who)) from None
    with suppress(OSError):
        # Only for the message above: on a full disk, the daemon starts nevertheless.
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _already_running(path: Path, who: str) -> str:
    return (
        f"cannot start on the control socket {path}: {who} is already running there; stop it, or set control.socket "
        "to another path"
    )


def _refuse_if_alive(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketError(
                f"cannot open the control socket {path}: something else is there; move it away, or set "
                "control.socket to another path"
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except (BlockingIOError, TimeoutError):
            # It listens, but does not accept: a daemon under load or in a debugger.
            pass
    raise SocketError(_already_running(path, "another claudegwd"))


def _listen(path: Path, group: str, group_id: int, undo: ExitStack) -> socket.socket:
    temporary = _temporary(path)
    try:
        _refuse_if_alive(path)
        sock = _bind(temporary, group, group_id, undo)
        temporary.rename(path)
    except OSError as error:
        raise SocketError(f"cannot open the control socket {path}: {error.strerror or 'refused'}") from None
    return sock


def _temporary(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}.sock")


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _bind(temporary: Path, group: str, group_id: int, undo: ExitStack) -> socket.socket:
    # Only an earlier process with our pid can have left it.
    temporary.unlink(missing_ok=True)
    sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    undo.callback(temporary.unlink, missing_ok=True)
    sock.bind(str(temporary))
    # Not by the umask, which applies to all threads. Until it listens, nobody can connect.
    if group_id != -1:
        _give_to_group(temporary, group, group_id)
    temporary.chmod(SOCKET_MODE)
    sock.listen(BACKLOG)
    sock.settimeout(0)
    return sock


def _give_to_group(path: Path, group: str, group_id: int) -> None:
    try:
        os.chown(path, -1, group_id)
    except PermissionError:
        raise SocketError(
            f'cannot give the control socket to the group "{group}": the daemon\'s user is not a member of it; '
            f"add it (`usermod -aG {group} USER`) or unset control.group"
        ) from None


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        mend = "create it (`groupadd --system NAME`) or choose another"
        raise ConfigError("the configuration", "control.group", f"names a group that does not exist: {mend}") from None


def _from_socket_unit(inherited: Sequence[Inherited]) -> ControlSocket | None:
    for _, sock in adopted(inherited, (socket.AF_UNIX,)):
        return ControlSocket(sock, Path(os.fsdecode(sock.getsockname())), None)
    return None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _inode_of(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino
