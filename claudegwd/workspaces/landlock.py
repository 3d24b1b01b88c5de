"""Landlock: this process and its children can open only the named files, and connect only to our port."""

import os
import stat
import struct

from claudegwd.workspaces.kernel import call, libc, open_real

# Numbers from the kernel's uapi headers.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_BEFORE_REFER = (1 << 13) - 1
_ONLY_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_CONNECT_TCP = 1 << 1
_SCOPES = 0b11  # abstract Unix sockets, signals
_REFER_ABI, _DEVICES_ABI, _SCOPE_ABI = 2, 5, 6
TRUNCATE_ABI, NETWORK_ABI = 3, 4


def landlock_version() -> int:
    """0 if there is none."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, 1)))


def restrict_files(version: int, read: "list[str]", write: "list[str]", ports: "list[int] | None") -> None:
    """Confine us to these directories and files, named by their real paths. `ports`: TCP ports that may be connected
    to; None: all."""
    handled = _ALL_BEFORE_REFER
    handled |= _REFER if version >= _REFER_ABI else 0
    handled |= _TRUNCATE if version >= TRUNCATE_ABI else 0
    handled |= _IOCTL_DEV if version >= _DEVICES_ABI else 0
    network = _CONNECT_TCP if version >= NETWORK_ABI and ports is not None else 0
    attributes = struct.pack("=Q", handled)
    attributes += struct.pack("=Q", network) if version >= NETWORK_ABI else b""
    attributes += struct.pack("=Q", _SCOPES) if version >= _SCOPE_ABI else b""
    rules = call(_CREATE_RULESET, attributes, len(attributes), 0)
    for paths, access in ((read, _READING), (write, handled)):
        for path in paths:
            _open_path(rules, path, access & handled)
    for port in ports or () if network else ():
        call(_ADD_RULE, rules, 2, struct.pack("=QQ", _CONNECT_TCP, port), 0)
    call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _open_path(rules: int, path: str, access: int) -> None:
    try:
        descriptor = open_real(path)
    except OSError:
        return  # not every system has all of them
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        access &= _ONLY_FILES
    call(_ADD_RULE, rules, 1, struct.pack("=Qi", access, descriptor), 0)
    os.close(descriptor)
