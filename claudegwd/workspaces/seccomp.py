"""seccomp: system calls that this process and its children cannot use."""

import ctypes
import platform
import struct

from claudegwd.workspaces.kernel import prctl

# Numbers from the kernel's uapi headers.
_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _LEAST, _ANY_BIT, _MASK, _GIVE = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_FIRST, _SECOND, _THIRD, _FOURTH = (16 + 8 * index for index in range(4))  # an argument's lower half
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _TYPE = 1, 0xF  # a socket's type also contains flags
_DEFAULT, _TCP = 0, 6  # protocols
_CONNECTING = 0x20000000  # MSG_FASTOPEN
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "x86_64": {
        "open": 2, "socket": 41, "sendto": 44, "sendmsg": 46, "socketpair": 53, "clone": 56, "truncate": 76,
        "creat": 85, "chmod": 90, "fchmod": 91, "mknod": 133, "add_key": 248, "request_key": 249, "keyctl": 250,
        "openat": 257, "mknodat": 259, "fchmodat": 268, "unshare": 272, "fanotify_init": 300, "sendmmsg": 307,
        "setns": 308, "io_uring_setup": 425, "clone3": 435, "openat2": 437, "fchmodat2": 452,
    },
    "aarch64": {
        "mknodat": 33, "truncate": 45, "fchmod": 52, "fchmodat": 53, "openat": 56, "unshare": 97, "socket": 198,
        "socketpair": 199, "sendto": 206, "sendmsg": 211, "add_key": 217, "request_key": 218, "keyctl": 219,
        "clone": 220, "fanotify_init": 262, "setns": 268, "sendmmsg": 269, "io_uring_setup": 425, "clone3": 435,
        "openat2": 437, "fchmodat2": 452,
    },
}  # fmt: skip
# Shared memory, semaphores and queues outside the file system: shmget to msgctl, mq_open, mq_unlink.
_IPC = {
    "x86_64": (29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241),
    "aarch64": (180, 181, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196),
}
# Denied as if the kernel lacked them. fanotify tells of files everywhere, and who uses them. The arguments of the last
# two cannot be inspected; callers fall back to the older calls.
_NONE = ("io_uring_setup", "add_key", "request_key", "keyctl", "fanotify_init", "clone3", "openat2")
# Namespaces of any kind: in its own, a process could hide from being counted, and has powers in the kernel that nobody
# else here has.
_NEW_NAMESPACES = 0x7E020080
_EXIT_SIGNAL = 0xFF  # in clone's flags, where CLONE_NEWTIME is elsewhere
_AS_OWNER = 0o6000  # setuid and setgid: a file that runs with the rights of the daemon's user
_MAKES = 0o100 | 0o20000000  # O_CREAT, O_TMPFILE
_X32 = 0x40000000
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EACCES, _ENOSYS, _EPROTONOSUPPORT = 13, 38, 93

Line = tuple[str, int, int, str, str]  # label, code, number, jump if true, jump if false


def is_known() -> bool:
    """Whether we know the system calls of this machine."""
    return platform.machine() in _ARCHITECTURES


def _program(*, datagrams: bool, truncate: bool, ipc: bool) -> "list[Line]":
    calls = _CALLS[platform.machine()]
    none = [*(calls[name] for name in _NONE), *(() if ipc else _IPC[platform.machine()])]
    checks = {
        "socket": "socket", "socketpair": "pair", "clone": "clone", "unshare": "unshare", "setns": "refuse",
        "creat": "mode 2", "chmod": "mode 2", "fchmod": "mode 2", "mknod": "mode 2", "fchmodat": "mode 3",
        "fchmodat2": "mode 3", "mknodat": "mode 3", "open": "open", "openat": "openat",
    }  # fmt: skip
    if not datagrams:
        checks |= {"sendto": "flags 4", "sendmsg": "flags 3", "sendmmsg": "flags 4"}
    if not truncate:
        checks["truncate"] = "refuse"
    return [
        ("", _LOAD, _ARCHITECTURE, "", ""),
        ("", _EQUAL, _ARCHITECTURES[platform.machine()], "", "kill"),
        ("", _LOAD, _NUMBER, "", ""),
        ("", _LEAST, _X32, "kill", ""),  # calls with other numbers
        *(("", _EQUAL, number, "none", "") for number in none),
        *(("", _EQUAL, calls[name], to, "") for name, to in checks.items() if name in calls),
        ("", _LEAST, 0, "allow", ""),
        *_socket(datagrams=datagrams),
        *_NAMESPACES,
        *_MODES,
        # Any datagram could go to any socket of the machine; a pair of streams stays connected.
        ("pair", _LOAD, _FIRST, "", ""),
        ("", _EQUAL, _UNIX, "", "refuse"),
        ("", _LOAD, _SECOND, "", ""),
        ("", _MASK, _TYPE, "", ""),
        ("", _EQUAL, _STREAM, "allow", "refuse"),
        # Sending can make a connection without Landlock being asked.
        ("flags 3", _LOAD, _THIRD, "", ""),
        ("", _ANY_BIT, _CONNECTING, "refuse", "allow"),
        ("flags 4", _LOAD, _FOURTH, "", ""),
        ("", _ANY_BIT, _CONNECTING, "refuse", "allow"),
        ("allow", _GIVE, _ALLOW, "", ""),
        ("refuse", _GIVE, _REFUSE | _EACCES, "", ""),
        ("none", _GIVE, _REFUSE | _ENOSYS, "", ""),
        ("unknown", _GIVE, _REFUSE | _EPROTONOSUPPORT, "", ""),
        ("kill", _GIVE, _KILL, "", ""),
    ]


_NAMESPACES: "list[Line]" = [
    ("unshare", _LOAD, _FIRST, "", ""),
    ("", _ANY_BIT, _NEW_NAMESPACES, "refuse", "allow"),
    ("clone", _LOAD, _FIRST, "", ""),
    ("", _ANY_BIT, _NEW_NAMESPACES & ~_EXIT_SIGNAL, "refuse", "allow"),
]
_MODES: "list[Line]" = [
    ("open", _LOAD, _SECOND, "", ""),
    ("", _ANY_BIT, _MAKES, "mode 3", "allow"),
    ("openat", _LOAD, _THIRD, "", ""),
    ("", _ANY_BIT, _MAKES, "mode 4", "allow"),
    ("mode 2", _LOAD, _SECOND, "", ""),
    ("", _ANY_BIT, _AS_OWNER, "refuse", "allow"),
    ("mode 3", _LOAD, _THIRD, "", ""),
    ("", _ANY_BIT, _AS_OWNER, "refuse", "allow"),
    ("mode 4", _LOAD, _FOURTH, "", ""),
    ("", _ANY_BIT, _AS_OWNER, "refuse", "allow"),
]


def _socket(*, datagrams: bool) -> "list[Line]":
    family: list[Line] = [
        ("socket", _LOAD, _FIRST, "", ""),
        ("", _EQUAL, _NETLINK, "netlink", ""),
        ("", _EQUAL, _INET, "type", ""),
        ("", _EQUAL, _INET6, "type", "refuse"),
    ]
    # Interfaces and routes, and nothing else of the kernel's.
    netlink: list[Line] = [("netlink", _LOAD, _THIRD, "", ""), ("", _EQUAL, _DEFAULT, "allow", "unknown")]
    if datagrams:
        return [*family, *netlink, ("type", _LEAST, 0, "allow", "")]
    return [
        *family,
        *netlink,
        ("type", _LOAD, _SECOND, "", ""),
        ("", _MASK, _TYPE, "", ""),
        ("", _EQUAL, _STREAM, "", "refuse"),
        # Landlock's rule is for TCP, and MPTCP speaks it too.
        ("", _LOAD, _THIRD, "", ""),
        ("", _EQUAL, _DEFAULT, "allow", ""),
        ("", _EQUAL, _TCP, "allow", "unknown"),
    ]


def _assembled(lines: "list[Line]") -> bytes:
    """Resolve jumps from labels to distances: forward only, as the kernel requires."""
    places = {line[0]: index for index, line in enumerate(lines) if line[0]}
    return b"".join(
        struct.pack("=HBBI", code, *(places[to] - index - 1 if to else 0 for to in (yes, no)), number)
        for index, (_, code, number, yes, no) in enumerate(lines)
    )


def restrict_calls(*, datagrams: bool, truncate: bool, ipc: bool) -> None:
    """No Unix sockets, io_uring, keyrings, namespaces, or setuid files; the rest only if wanted. `truncate`: allow
    truncating a file by name; `ipc`: allow what processes share by number."""
    program = _assembled(_program(datagrams=datagrams, truncate=truncate, ipc=ipc))
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    head_held = ctypes.create_string_buffer(head, len(head))
    prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(head_held))
