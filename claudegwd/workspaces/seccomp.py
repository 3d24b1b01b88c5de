"""seccomp: system calls that this process and what it starts do without."""

import ctypes
import platform
import struct

from claudegwd.workspaces.kernel import prctl

# Numbers from the kernel's uapi headers.
_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _LEAST, _MASK, _GIVE = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_FIRST, _SECOND, _THIRD = (16 + 8 * index for index in range(3))  # an argument's lower half
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _TYPE = 1, 0xF  # a socket's type is given with flags
# audit architecture, socket, io_uring_setup, add_key, request_key, keyctl
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 41, 425, 248, 249, 250),
    "aarch64": (0xC00000B7, 198, 425, 217, 218, 219),
}
_X32 = 0x40000000
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EACCES, _ENOSYS = 13, 38

Line = tuple[str, int, int, str, str]  # its name, code, number, where to if it holds, and if not


def is_known() -> bool:
    """Whether the system calls of this machine are known here."""
    return platform.machine() in _ARCHITECTURES


def _program(*, datagrams: bool) -> "list[Line]":
    arch, new_socket, *refused = _ARCHITECTURES[platform.machine()]
    return [
        ("", _LOAD, _ARCHITECTURE, "", ""),
        ("", _EQUAL, arch, "", "kill"),
        ("", _LOAD, _NUMBER, "", ""),
        ("", _LEAST, _X32, "kill", ""),  # calls of another numbering
        *(("", _EQUAL, number, "none", "") for number in refused),
        ("", _EQUAL, new_socket, "", "allow"),
        ("", _LOAD, _FIRST, "", ""),  # the family
        ("", _EQUAL, _NETLINK, "allow", ""),
        ("", _EQUAL, _INET, "type", ""),
        ("", _EQUAL, _INET6, "type", "refuse"),
        ("type", _LOAD, _SECOND, "", ""),
        ("", _MASK, _TYPE, "", ""),
        ("", _LEAST, 0 if datagrams else _STREAM + 1, "allow" if datagrams else "refuse", "allow"),
        ("allow", _GIVE, _ALLOW, "", ""),
        ("refuse", _GIVE, _REFUSE | _EACCES, "", ""),
        ("none", _GIVE, _REFUSE | _ENOSYS, "", ""),
        ("kill", _GIVE, _KILL, "", ""),
    ]


def _assembled(lines: "list[Line]") -> bytes:
    """Jumps are by name, counted out here: forward only, as the kernel wants them."""
    places = {line[0]: index for index, line in enumerate(lines) if line[0]}
    return b"".join(
        struct.pack("=HBBI", code, *(places[to] - index - 1 if to else 0 for to in (yes, no)), number)
        for index, (_, code, number, yes, no) in enumerate(lines)
    )


def restrict_calls(*, datagrams: bool) -> None:
    """No Unix sockets, no io_uring, no keyrings, and datagrams only if they are wanted."""
    program = _assembled(_program(datagrams=datagrams))
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    head_held = ctypes.create_string_buffer(head, len(head))
    prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(head_held))
