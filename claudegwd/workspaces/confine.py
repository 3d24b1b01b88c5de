"""Starts a command in a sandbox: `confine.py SPEC COMMAND…`, `confine.py --probe`.

This is a program of its own, run by its path with `python -I -S`: what it gives up is gone for good, for all that it
starts too. It imports only the standard library and the modules next to it that it needs.

- A network namespace with nobody else in it; without one, TCP reaches only our port, on any host.
- Landlock: files outside the named directories cannot be opened, by any path or link; no process outside can be
  signalled or traced, or have its environment read.
- A mount namespace: what Landlock does not cover (mode, owner, times, attributes of files outside) cannot be changed
  either.
- seccomp: no Unix sockets, so that no service of this machine can be reached, including our own control socket; no
  datagrams; no io_uring, which would bypass that; no kernel keyrings.
- A process namespace: everything that is started, however it hides, ends with the first process. With its own /proc, if
  the kernel provides one, it does not see the command lines of others.
- Limits: the number of processes, their memory, the size of files; when memory is short, the kernel kills these
  processes first.
"""

import json
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress

if not __package__:  # run by path, so no package path is set; last, so that nothing shadows the standard library
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from claudegwd.workspaces.crowd import excess, ours
from claudegwd.workspaces.kernel import libc, prctl
from claudegwd.workspaces.landlock import NETWORK_ABI, TRUNCATE_ABI, landlock_version, restrict_files
from claudegwd.workspaces.namespaces import NEW_MOUNT, NEW_NET, NEW_PID, available, enter, own_proc
from claudegwd.workspaces.seccomp import is_known, restrict_calls

_NO_NEW_PRIVS, _SET_PDEATHSIG, _DROP_BOUNDING = 38, 1, 24  # from the kernel's uapi headers
_CAPABILITIES = 64

LOOK_SECONDS = 0.1  # how often the processes are counted: a fork bomb creates some hundred in that time
# Counting takes at most one part in this many of the time: a /proc that shows the whole machine is slow to read.
LOOK_SHARE = 20
SHORT_OF_MEMORY = "500"  # of 1000: killed before all processes at the usual 0, such as the daemon
FAILED = 71  # sysexits' EX_OSERR


def listen(channel: int, lacks: "list[str]") -> int:
    """Listen on loopback for our upstream. Whoever holds the other end of the channel serves the port, and is told
    what is not confined here."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, socket.socket(fileno=channel) as other:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        socket.send_fds(other, [json.dumps(lacks).encode()], [listener.fileno()])
        port: int = listener.getsockname()[1]
    return port


def _bound(spec: "dict[str, object]") -> None:
    files, processes = int(str(spec["file_bytes"])), int(str(spec["processes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
    if spec["namespace"]:  # otherwise all processes of the user count
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def _confined(spec: "dict[str, object]", command: "list[str]") -> None:
    """Never returns."""
    _bound(spec)
    prctl(_NO_NEW_PRIVS, 1)
    if os.getuid() == 0:
        for capability in range(_CAPABILITIES):
            libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0)
    if spec["confined"]:
        version, ports = landlock_version(), spec["ports"]
        if version:
            restrict_files(version, spec["read"], spec["write"], ports)  # type: ignore[arg-type]  # we wrote it
        if is_known():
            # Where Landlock does not cover it yet, a file outside could be truncated by name.
            restrict_calls(
                datagrams=bool(spec["outside"]), truncate=version >= TRUNCATE_ABI, ipc=bool(spec["namespace"])
            )
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(command[0], command)


def _child(spec: "dict[str, object]", command: "list[str]") -> int:
    """Start the command; return its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            prctl(_SET_PDEATHSIG, signal.SIGKILL)
            _confined(spec, command)
        except OSError as error:
            sys.stderr.write(f"cannot start the command in a sandbox: {error.strerror}\n")
        finally:
            os._exit(FAILED)
    return pid


def _stay(child: int, spec: "dict[str, object] | None" = None) -> int:
    """Reap everything until the child ends; its exit status. `spec`: given for a namespace's first process, which kills
    all processes if there are too many, and the largest if they use too much memory."""
    pause = LOOK_SECONDS
    while True:
        signal.sigtimedwait([signal.SIGCHLD], pause)
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == child:
                    code = os.waitstatus_to_exitcode(found[1])
                    return code if code >= 0 else 128 - code
        except ChildProcessError:
            return FAILED
        if spec is not None:
            pause = _look(int(str(spec["processes"])), int(str(spec["memory_bytes"])))


def _look(processes: int, memory: int) -> float:
    """Kill whatever exceeds the limits; return when to look again."""
    began = time.monotonic()
    if (pid := excess(ours(), processes, memory)) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # -1 is everything in this namespace but us
    return max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - began))


def run(spec: "dict[str, object]", command: "list[str]") -> int:
    """Run the command to its end; its exit status, or 128 plus the signal."""
    # The command gets the signal too, and ends by it or by the next one; we stay to see it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(SHORT_OF_MEMORY)
    writable: list[str] = spec["write"]  # type: ignore[assignment]  # we wrote it
    wanted = NEW_PID | NEW_MOUNT | (0 if spec["outside"] else NEW_NET) if spec["confined"] else 0
    status = _entered(wanted, spec, command) if wanted else None
    if status is None and wanted and (have := available(wanted, writable)):
        status = _entered(have, spec, command)
    return _begun(0, spec, command) if status is None else status


def _entered(flags: int, spec: "dict[str, object]", command: "list[str]") -> "int | None":
    """Run the command in these namespaces. None if they are unavailable, as tried in a separate process: one that gets
    halfway in cannot go back."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prctl(_SET_PDEATHSIG, signal.SIGKILL)
            enter(flags, spec["write"], spec["kept"])  # type: ignore[arg-type]  # we wrote it
            os.write(writing, b".")
            os.close(writing)
            os._exit(_begun(flags, spec, command))
        finally:
            os._exit(FAILED)
    os.close(writing)
    entered = os.read(reading, 1)
    os.close(reading)
    status = _stay(pid)
    return status if entered else None


def _begun(have: int, spec: "dict[str, object]", command: "list[str]") -> int:
    """Run the command where we are now, inside these namespaces."""
    wanted = NEW_PID | NEW_MOUNT | (0 if spec["outside"] else NEW_NET)
    lacks = lacking(wanted & ~have) if spec["confined"] else []
    if lacks and spec["required"]:
        sys.stderr.write(f"cannot start the command without a sandbox: {lacks[0]}\n")
        return FAILED
    spec["namespace"] = bool(have & NEW_PID)
    port = listen(int(str(spec["channel"])), lacks)
    os.environ["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{port}"
    spec["ports"] = None if have & NEW_NET or spec["outside"] else [port]
    if not spec["namespace"]:
        return _stay(_child(spec, command))
    first = os.fork()
    if first:
        return _stay(first)
    try:
        prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if have & NEW_MOUNT:
            with suppress(OSError):
                own_proc()
        os._exit(_stay(_child(spec, command), spec))
    finally:
        os._exit(FAILED)


def missing() -> "list[str]":
    """What this machine cannot do, in words for people."""
    wanted = NEW_PID | NEW_NET | NEW_MOUNT
    return lacking(wanted & ~available(wanted, [os.path.dirname(os.path.realpath(__file__))]))


def lacking(namespaces: int) -> "list[str]":
    """The same, if these namespaces are unavailable."""
    version, lacks = landlock_version(), []
    if version < 1:
        lacks.append("files are not confined (requires Landlock: Linux 5.13 or newer, and enabled)")
    if not is_known():
        lacks.append("Unix sockets are not blocked (requires x86_64 or aarch64)")
    if namespaces & NEW_PID:
        lacks.append(
            "processes have no namespace of their own (requires unprivileged user namespaces; see RestrictNamespaces=)"
        )
    if namespaces & NEW_MOUNT:
        lacks.append(
            "mode, times and attributes of files outside can be changed (requires unprivileged user namespaces; see "
            "RestrictNamespaces=, SystemCallFilter=)"
        )
    if namespaces & NEW_NET:
        how = "partly open: one TCP port, on every host" if version >= NETWORK_ABI else "not confined"
        lacks.append(f"the network is {how} (requires unprivileged user namespaces; see RestrictNamespaces=)")
    return lacks


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        sys.stdout.write(json.dumps(missing()))
    else:
        sys.exit(run(json.loads(sys.argv[1]), sys.argv[2:]))
