"""Starts a command that can do no more than it is told to: `confine.py SPEC COMMAND…`, `confine.py --probe`.

A program of its own, run by its path with `python -I -S`: what it takes away from itself it never gets back, nor does
anything that it starts. It imports nothing of ours.

- A network of its own, in which nobody is but us; where that cannot be, TCP goes to our port and nowhere else.
- Landlock: files outside of the directories named cannot be opened, whatever path or link leads there; nobody outside
  can be signalled, traced, or have its environment read.
- seccomp: no Unix sockets, so that no service of this machine answers, our own control socket among them; no datagrams;
  no io_uring, which would go around that; no kernel keyrings.
- A process namespace: whatever is started, and however it hides, ends with the first process.
"""

import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys

# Landlock's and seccomp's numbers, from the kernel's uapi headers.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_BEFORE_REFER = (1 << 13) - 1
_ONLY_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_CONNECT_TCP = 1 << 1
_SCOPES = 0b11  # abstract Unix sockets, signals
_NETWORK_ABI, _SCOPE_ABI = 4, 6
_NO_NEW_PRIVS, _SET_SECCOMP, _SET_PDEATHSIG, _DROP_BOUNDING = 38, 22, 1, 24
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_SET_FLAGS, _UP = 0x8914, 1  # of a network interface
_UNIX, _INET, _INET6, _NETLINK, _STREAM = 1, 2, 10, 16, 1
# audit architecture, socket, io_uring_setup, add_key, request_key, keyctl
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 41, 425, 248, 249, 250),
    "aarch64": (0xC00000B7, 198, 425, 217, 218, 219),
}
_X32 = 0x40000000
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EACCES, _ENOSYS = 13, 38
_CAPABILITIES = 64

LOOK_SECONDS = 0.1  # how often the processes are counted: a fork bomb makes some hundred in that time
FAILED = 71  # sysexits' EX_OSERR

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    found: int = _libc.syscall(number, *arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), "cannot confine")
    return found


def _prctl(option: int, *arguments: int) -> None:
    if _libc.prctl(option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4])) < 0:
        raise OSError(ctypes.get_errno(), "cannot confine")


def landlock_version() -> int:
    """0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def restrict_files(read: "list[str]", write: "list[str]", ports: "list[int] | None") -> None:
    """Only these directories and files from now on. `ports`: TCP ports that may be connected to; None: all."""
    version = landlock_version()
    handled = _ALL_BEFORE_REFER
    handled |= _REFER if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    handled |= _IOCTL_DEV if version >= 5 else 0
    network = _CONNECT_TCP if version >= _NETWORK_ABI and ports is not None else 0
    attributes = struct.pack("=Q", handled)
    attributes += struct.pack("=Q", network) if version >= _NETWORK_ABI else b""
    attributes += struct.pack("=Q", _SCOPES) if version >= _SCOPE_ABI else b""
    rules = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    for paths, access in ((read, _READING), (write, handled)):
        for path in paths:
            _open_path(rules, path, access & handled)
    for port in ports or () if network else ():
        _call(_ADD_RULE, rules, 2, struct.pack("=QQ", _CONNECT_TCP, port), 0)
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _open_path(rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # systems differ in what they have
    if not os.path.isdir(path):
        access &= _ONLY_FILES
    _call(_ADD_RULE, rules, 1, struct.pack("=Qi", access, descriptor), 0)
    os.close(descriptor)


def _filter(arch: int, new_socket: int, refused: "list[int]", *, datagrams: bool) -> bytes:
    """The seccomp program: jumps by name, counted out at the end."""
    load, equal, least, mask, give = 0x20, 0x15, 0x35, 0x54, 0x06
    lines: list[tuple[str, int, int, str, str]] = [  # its name, code, number, where to if it holds, and if not
        ("", load, 4, "", ""),
        ("", equal, arch, "", "kill"),
        ("", load, 0, "", ""),
        ("", least, _X32, "kill", ""),  # calls of another numbering
        *(("", equal, number, "none", "") for number in refused),
        ("", equal, new_socket, "", "allow"),
        ("", load, 16, "", ""),  # the family
        ("", equal, _NETLINK, "allow", ""),
        ("", equal, _INET, "type", ""),
        ("", equal, _INET6, "type", "refuse"),
        ("type", load, 24, "", ""),
        ("", mask, 0xF, "", ""),  # without its flags
        ("", least, 0 if datagrams else _STREAM + 1, "allow" if datagrams else "refuse", "allow"),
        ("allow", give, _ALLOW, "", ""),
        ("refuse", give, _REFUSE | _EACCES, "", ""),
        ("none", give, _REFUSE | _ENOSYS, "", ""),
        ("kill", give, _KILL, "", ""),
    ]
    places = {line[0]: index for index, line in enumerate(lines) if line[0]}
    return b"".join(
        struct.pack("=HBBI", code, *(places[to] - index - 1 if to else 0 for to in (yes, no)), number)
        for index, (_, code, number, yes, no) in enumerate(lines)
    )


def restrict_calls(*, datagrams: bool) -> None:
    """No Unix sockets, no io_uring, no keyrings, and datagrams only if they are wanted."""
    arch, new_socket, *refused = _ARCHITECTURES[platform.machine()]
    program = _filter(arch, new_socket, refused, datagrams=datagrams)
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    head_held = ctypes.create_string_buffer(head, len(head))
    _prctl(_SET_SECCOMP, 2, ctypes.addressof(head_held))


def new_namespaces(flags: int) -> bool:
    """Whether there are these: a network from now on, processes from the next one that is forked."""
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(flags if user == 0 else flags | _NEW_USER) < 0:
        return False
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    if flags & _NEW_NET:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    return True


def listen(channel: int) -> int:
    """A port on loopback for our upstream; whoever holds the other end of the channel is to serve it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, socket.socket(fileno=channel) as other:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        socket.send_fds(other, [b"."], [listener.fileno()])
        port: int = listener.getsockname()[1]
    return port


def _bound(spec: "dict[str, object]") -> None:
    files, processes = int(str(spec["file_bytes"])), int(str(spec["processes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
    if spec["namespace"]:  # elsewhere all processes of the user are counted
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def _confined(spec: "dict[str, object]", command: "list[str]") -> None:
    """Never returns."""
    _bound(spec)
    _prctl(_NO_NEW_PRIVS, 1)
    if os.getuid() == 0:
        for capability in range(_CAPABILITIES):
            _libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0)
    if spec["confined"]:
        ports = spec["ports"]
        restrict_files(spec["read"], spec["write"], ports)  # type: ignore[arg-type]  # as we wrote it
        if platform.machine() in _ARCHITECTURES:
            restrict_calls(datagrams=bool(spec["outside"]))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(command[0], command)


def _child(spec: "dict[str, object]", command: "list[str]") -> int:
    """Starts the command; its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            _prctl(_SET_PDEATHSIG, signal.SIGKILL)
            _confined(spec, command)
        except OSError as error:
            sys.stderr.write(f"cannot start the command in a sandbox: {error.strerror}\n")
        finally:
            os._exit(FAILED)
    return pid


def _stay(child: int, most: int) -> int:
    """Reap whatever ends until the child has; its exit status. Too many processes are ended, all of them."""
    while True:
        signal.sigtimedwait([signal.SIGCHLD], LOOK_SECONDS)
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == child:
                    code = os.waitstatus_to_exitcode(found[1])
                    return code if code >= 0 else 128 - code
        except ChildProcessError:
            return FAILED
        if most and _crowded(most):
            os.kill(-1, signal.SIGKILL)  # which is everybody in this namespace but us


def _crowded(most: int) -> bool:
    """Whether there are more processes in our namespace. Looked at closely only where the machine has so many."""
    with open("/proc/loadavg") as file:
        if int(file.read().split()[3].partition("/")[2]) <= most:
            return False
    ours = os.stat("/proc/self/ns/pid").st_ino
    return sum(_namespace(name) == ours for name in os.listdir("/proc") if name.isdigit()) > most


def _namespace(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0  # gone, or another user's


def run(spec: "dict[str, object]", command: "list[str]") -> int:
    """Run the command to its end; its exit status, 128 and the number for a signal."""
    # The command gets the signal as well, and ends by it or by the next one; we stay to see it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    wanted = _NEW_PID if spec["outside"] else _NEW_PID | _NEW_NET
    alone = bool(spec["confined"]) and new_namespaces(wanted)
    spec["namespace"] = alone or (bool(spec["confined"]) and new_namespaces(_NEW_PID))
    port = listen(int(str(spec["channel"])))
    os.environ["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{port}"
    spec["ports"] = None if alone or spec["outside"] else [port]
    if not spec["namespace"]:
        return _stay(_child(spec, command), 0)
    first = os.fork()
    if first:
        return _stay(first, 0)
    try:
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        # Root's processes are not counted by the kernel.
        os._exit(_stay(_child(spec, command), int(str(spec["processes"])) if os.getuid() == 0 else 0))
    finally:
        os._exit(FAILED)


def missing() -> "list[str]":
    """What this machine cannot do, in words for people."""
    version, lacks = landlock_version(), []
    if version < 1:
        lacks.append("files are not confined (Landlock: Linux 5.13, and not switched off)")
    if platform.machine() not in _ARCHITECTURES:
        lacks.append("Unix sockets are not closed (x86_64 or aarch64)")
    if not _can(_NEW_PID):
        lacks.append("there are no namespaces for processes (unprivileged user namespaces, RestrictNamespaces=)")
    if not _can(_NEW_PID | _NEW_NET) and version < _NETWORK_ABI:
        lacks.append("the network is not confined (namespaces, or Linux 6.7)")
    return lacks


def _can(flags: int) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if new_namespaces(flags) else 1)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        sys.stdout.write(json.dumps(missing()))
    else:
        sys.exit(run(json.loads(sys.argv[1]), sys.argv[2:]))
