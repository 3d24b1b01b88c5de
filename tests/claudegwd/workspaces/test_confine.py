"""The sandbox against the real kernel: what a command in it tries, and what comes of it."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from claudegwd.workspaces import confine
from tests.marked_processes import processes

PROGRAM = (sys.executable, "-I", "-S", confine.__file__)
SYSTEM = [*map(os.path.realpath, ("/usr", "/bin", "/lib", "/lib64", "/proc", "/etc/ld.so.cache"))]


def lacks() -> list[str]:
    found: list[str] = json.loads(subprocess.run([*PROGRAM, "--probe"], capture_output=True, check=True).stdout)
    return found


pytestmark = pytest.mark.skipif(bool(sys.platform != "linux" or lacks()), reason=f"this kernel: {lacks()}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret").write_text("SECRET")
    return tmp_path / "in"


def run(place: Path, script: str, seconds: float = 30, **more: Any) -> tuple[int, str]:
    """Exit status and output of a script of the shell in the sandbox."""
    ours, theirs = socket.socketpair()
    spec = {"confined": True, "read": SYSTEM, "write": [str(place), "/dev/null"], "outside": False,
            "file_bytes": 1 << 20, "processes": 64, "memory_bytes": 1 << 30, "required": False, "kept": {},
            "channel": theirs.fileno(), **more}  # fmt: skip
    with ours, theirs:
        done = subprocess.run(
            [*PROGRAM, json.dumps(spec), "/bin/sh", "-c", script], capture_output=True, text=True, cwd=place,
            timeout=seconds, pass_fds=(theirs.fileno(),), start_new_session=True, check=False,
        )  # fmt: skip
        lacks, received, _, _ = socket.recv_fds(ours, 1024, 1)
    assert len(received) == 1, "the listener came through"
    assert json.loads(lacks) == []
    os.close(received[0])
    return done.returncode, done.stdout + done.stderr


def python(code: str) -> str:
    return shlex.join(["/usr/bin/python3", "-c", code])


needs_python = pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the system has no python3")


@pytest.mark.parametrize(
    "script",
    [
        "cat ../out/secret",
        "ln -s ../out/secret link; cat link",
        "ln ../out/secret hard && cat hard",
        "cp /usr/bin/env . && ./env cat ../out/secret",
        "cat /proc/self/root/{out}/secret",
        "cd ..; cat out/secret",
        "cat /proc/{parent}/environ",
        "cat /proc/{parent}/cwd/../out/secret",
        "cat /proc/{parent}/root/{out}/secret",
    ],
)
def test_nothing_outside_is_read(place: Path, script: str) -> None:
    script = script.replace("{out}", str(place.parent / "out")[1:]).replace("{parent}", str(os.getpid()))
    status, said = run(place, script, read=SYSTEM)
    assert status != 0
    assert "SECRET" not in said
    assert "PATH=" not in said


@pytest.mark.parametrize(
    "script",
    [
        "echo x > ../out/new",
        "echo x > ../out/secret",
        "mv ../out/secret .",
        "rm ../out/secret",
        "mkdir ../out/d",
        "echo x > /tmp/claudegwd-test",
        "ln -s ../out d; echo x > d/new",
        "mkdir d; mv d ../out/",
    ],
)
def test_nothing_outside_is_written(place: Path, script: str) -> None:
    status, _ = run(place, script)
    assert status != 0
    assert [path.name for path in (place.parent / "out").iterdir()] == ["secret"]
    assert (place.parent / "out" / "secret").read_text() == "SECRET"
    assert not Path("/tmp/claudegwd-test").exists()


CHANGES = {
    "mode": "os.chmod(path, 0o666)",
    "times": "os.utime(path, (1, 1))",
    "owner": "os.chown(path, os.getuid(), os.getgid())",
    "attributes": 'os.setxattr(path, "user.x", b"x")',
    "times of a link": "os.utime(path, (1, 1), follow_symlinks=False)",
    "size": "os.truncate(path, 0)",
}


@needs_python
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_about_a_file_outside_is_changed(place: Path, change: str) -> None:
    outside, inside, only_read = place.parent / "out" / "secret", place / "a", place.parent / "read"
    inside.write_text("x")
    only_read.mkdir()
    for path in (outside, place.parent / "out", only_read):
        before = path.stat()
        status, said = run(place, python(f"import os; path = {str(path)!r}; {change}"), read=[*SYSTEM, str(only_read)])
        assert status != 0
        assert "Error" in said
        assert path.stat() == before
        assert os.listxattr(path) == []
    assert run(place, python(f"import os; path = {str(inside)!r}; {change}")) == (0, "")


@needs_python
def test_what_is_opened_can_be_changed_wherever_it_lies(place: Path) -> None:
    opened, inner, file = place.parent / "opened", place.parent / "opened" / "inner", place.parent / "file"
    inner.mkdir(parents=True)
    file.write_text("x")
    write = [str(place), str(inner), str(opened), str(file), str(place.parent / "none")]
    script = f"chmod 700 . {opened} {inner} {file} && echo y > {file} && echo y > {inner}/a && echo y > b"
    before = Path("/proc/self/mountinfo").read_text()
    assert run(place, script, write=write) == (0, "")
    assert (place / "b").read_text() == (inner / "a").read_text() == file.read_text() == "y\n"
    assert Path("/proc/self/mountinfo").read_text() == before, "nobody else sees it"


@needs_python
def test_a_link_in_place_of_what_is_opened_opens_nothing(place: Path) -> None:
    """A command of an earlier answer could have made it."""
    out = place.parent / "out"
    (place / "link").symlink_to(out)
    attempts = [
        f"open('{place}/link/secret')",
        f"open('{place}/link/new', 'w')",
        f"os.chmod('{place}/link', 0o700)",
        f"open('{place}/b', 'w')",
    ]
    for path in (f"{place}/link", f"{place}/link/deep"):
        out.joinpath("deep").mkdir(exist_ok=True)
        assert succeeded(place, attempts, read=[*SYSTEM, path]) == attempts[-1:]
        assert succeeded(place, attempts, write=[str(place), path, "/dev/null"]) == attempts[-1:]


def test_what_is_kept_stays_where_it_is(place: Path) -> None:
    for name in ("git/hooks", "obeyed"):
        (place / name).mkdir(parents=True)
    (place / "git" / "config").write_text("as it was")
    (place / "link").symlink_to("obeyed")
    kept = {f"{place}/git": True, f"{place}/git/hooks": False, f"{place}/git/config": False, f"{place}/obeyed": False,
            f"{place}/none": False, f"{place}/link": False}  # fmt: skip
    attempts = (
        "echo x > git/hooks/post-commit", "echo x > git/config", "echo x > c; mv c git/config", "rm git/config",
        "mv git/hooks git/old", "mv git old", "rm -r git/hooks", "rmdir git/hooks", "rmdir obeyed", "mv obeyed old",
        "touch obeyed/x", "chmod 777 obeyed", "chmod 777 git/config", "ln git/config other", "umount git",
    )  # fmt: skip
    script = "; ".join(f"({attempt}) 2>/dev/null && echo '{attempt} did it'" for attempt in attempts)
    assert run(place, f"{script}; echo x > git/index && mkdir git/objects && echo done", kept=kept) == (0, "done\n")
    assert (place / "git" / "config").read_text() == "as it was"
    assert list((place / "git" / "hooks").iterdir()) == list((place / "obeyed").iterdir()) == []
    assert (place / "git" / "index").read_text() == "x\n"


def test_inside_all_goes_on(place: Path) -> None:
    script = "echo x > a; mkdir d; mv a d/b; cat d/b; ln -s d/b c; cat c; chmod +x d/b; rm -r d"
    assert run(place, script) == (0, "x\nx\n")
    assert run(place, "exit 7")[0] == 7
    assert run(place, "kill -9 $$")[0] == 128 + 9


def test_what_is_only_read_is_not_written(place: Path) -> None:
    (place / "a").write_text("x")
    status, said = run(place, "cat a; echo y > a", read=[*SYSTEM, str(place)], write=["/dev/null"])
    assert status != 0
    assert said.startswith("x")
    assert (place / "a").read_text() == "x"


@needs_python
def test_no_service_of_the_machine_is_reached(place: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        for code in (
            f'import socket; socket.create_connection(("127.0.0.1", {port}), 2)',
            "import socket; socket.socket(socket.AF_UNIX)",
            'import socket; socket.create_connection(("192.0.2.1", 80), 2)',
        ):
            status, said = run(place, python(code))
            assert status != 0, code
            assert "Error" in said
    code = 'import socket; s = socket.create_server(("127.0.0.1", 0)); socket.create_connection(s.getsockname(), 2)'
    assert run(place, python(code))[0] == 0, "servers of its own are reached"


@needs_python
def test_with_the_network_outside_it_still_has_no_unix_sockets(place: Path) -> None:
    assert run(place, python("import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"), outside=True)[0] == 0
    assert run(place, python("import socket; socket.socket(socket.AF_UNIX)"), outside=True)[0] != 0


# What remains where neither namespaces nor the newest Landlock can be had: the walls, each by itself.
ALONE = f"""
import os, socket, sys
sys.path.append({str(Path(confine.__file__).parents[2])!r})
from claudegwd.workspaces import kernel, landlock, seccomp
kernel.prctl(38, 1)
"""


@needs_python
@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(to, 2)",
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(to)",  # MPTCP
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).connect(to)",  # SCTP
        "socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, 132).connect(to)",
        "socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 262)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket().sendto(b'x', 0x20000000, to)",  # MSG_FASTOPEN
        "socket.socket().sendmsg([b'x'], [], 0x20000000, to)",
        "socket.socket().sendmsg([b'x'], [], 0x20000000 | socket.MSG_NOSIGNAL, to)",
    ],
)
def test_no_other_port_is_reached_without_a_network_namespace(attempt: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        to = listener.getsockname()
        code = ALONE + (
            "landlock.restrict_files(landlock.landlock_version(), ['/'], [], [int(sys.argv[1])])\n"
            f"seccomp.restrict_calls(datagrams=False, truncate=True, ipc=True)\nto = {to!r}\n{attempt}"
        )
        done = subprocess.run(["/usr/bin/python3", "-c", code, "1"], capture_output=True, text=True, check=False)
        assert "Error" in done.stderr, done.stdout
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
        own = "socket.create_connection(to, 2); socket.socket(socket.AF_INET, socket.SOCK_STREAM, 6)"
        code = code.replace(attempt, own)
        assert subprocess.run(["/usr/bin/python3", "-c", code, str(to[1])], check=False).returncode == 0


@needs_python
@pytest.mark.parametrize("outside", [False, True])
def test_a_pair_of_sockets_reaches_nobody_else(place: Path, outside: bool) -> None:
    for kind, given in (("DGRAM", False), ("RAW", False), ("SEQPACKET", False), ("STREAM", True)):
        for flags in ("0", "socket.SOCK_NONBLOCK"):
            code = f"import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_{kind} | {flags})"
            assert (run(place, python(code), outside=outside)[0] == 0) is given, code


@needs_python
def test_no_file_outside_is_cut_where_landlock_knows_nothing_of_it(place: Path) -> None:
    outside = place.parent / "out" / "secret"
    for version in (1, 2):  # as those kernels have it, and with no mounts of its own
        code = ALONE + (
            f"landlock.restrict_files({version}, {SYSTEM!r}, [{str(place)!r}], None)\n"
            f"seccomp.restrict_calls(datagrams=True, truncate={version} >= landlock.TRUNCATE_ABI, ipc=True)\n"
            f"open({str(place / 'a')!r}, 'w').truncate(5)\n"
            f"os.truncate({str(outside)!r}, 0)"
        )
        done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=False)
        assert "PermissionError" in done.stderr
        assert (place / "a").stat().st_size == 5
        assert outside.read_text() == "SECRET"


SHARED = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); "


@needs_python
def test_no_memory_is_shared_with_others_by_a_number(place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    shared = libc.shmget(0x636C6177, 4096, 0o1600)
    assert shared >= 0
    try:
        for code in ("libc.shmget(0x636C6177, 0, 0)", f"libc.shmctl({shared}, 0, 0)"):
            assert run(place, python(f"{SHARED}assert {code} >= 0"))[0] != 0, code
        assert run(place, python(f"{SHARED}assert libc.shmget(1, 4096, 0o1600) >= 0"))[0] == 0, "databases need it"
    finally:
        libc.shmctl(shared, 0, 0)
    code = ALONE + f"seccomp.restrict_calls(datagrams=True, truncate=True, ipc=False)\n{SHARED}"
    code += "sys.exit(os.strerror(ctypes.get_errno()) if libc.shmget(1, 4096, 0o1600) < 0 else 0)"
    done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=False)
    assert "not implemented" in done.stderr, "where it has no namespace of its own"


def test_processes_of_others_are_not_seen(place: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "8644"]) as other:
        status, said = run(place, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        other.kill()
    assert status == 0
    assert "cat /proc/" in said
    assert "8644" not in said


@needs_python
@pytest.mark.skipif(os.getuid() != 0, reason="only root can take namespaces away")
@pytest.mark.parametrize("required", [False, True])
def test_namespaces_that_cannot_be_had_are_done_without_and_named(required: bool) -> None:
    ours, theirs = socket.socketpair()
    spec = {"confined": True, "read": ["/"], "write": [], "outside": False, "file_bytes": 1 << 20, "processes": 9,
            "memory_bytes": 1 << 30, "required": required, "kept": {}, "channel": theirs.fileno()}  # fmt: skip
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    line = [*nobody, "/usr/bin/python3", "-I", "-S", confine.__file__, json.dumps(spec), "/usr/bin/id", "-u"]
    with ours, theirs:
        done = subprocess.run(
            # It gets halfway in: into a user namespace, whose maps it cannot write.
            ["unshare", "-m", "/bin/sh", "-c", f"mount -o remount,bind,ro /proc && exec {shlex.join(line)}"],
            capture_output=True, text=True, pass_fds=(theirs.fileno(),), cwd="/", check=False,
        )  # fmt: skip
        theirs.close()
        said = ours.recv(4096)
    if required:
        assert said == b""
        assert done.stdout == ""
        assert "cannot start the command without a sandbox: processes have no namespace" in done.stderr
    else:
        assert len(json.loads(said)) == 3
        assert (done.returncode, done.stdout) == (0, "65534\n")


def succeeded(place: Path, attempts: list[str], **more: Any) -> list[str]:
    """Which of these, tried in one sandbox one after the other, are not refused. Each in a process of its own."""
    code = (
        "import ctypes, os, socket, sys\nlibc = ctypes.CDLL(None)\nfor attempt in sys.argv[1:]:\n"
        "    pid = os.fork()\n    if not pid:\n        try: exec(attempt)\n        except (OSError, AssertionError):\n"
        "            os._exit(1)\n        os._exit(0)\n    if os.waitpid(pid, 0)[1] == 0: print(attempt)\n"
    )
    status, said = run(place, shlex.join(["/usr/bin/python3", "-c", code, *attempts]), **more)
    assert status == 0, said
    return said.splitlines()


@needs_python
def test_no_file_gives_the_rights_of_its_owner(place: Path) -> None:
    """Whoever runs it outside, in another account, would have those of the daemon's user."""
    attempts = [
        "os.open('a', os.O_CREAT | os.O_WRONLY, {mode})",
        "os.open('.', os.O_TMPFILE | os.O_WRONLY, {mode})",
        "os.mknod('b{mode}', {mode})",
        "assert libc.creat(b'c', {mode}) >= 0",
        "os.chmod('d', {mode})",
        "os.fchmod(os.open('d', os.O_RDONLY), {mode})",
        "os.chmod('d', {mode}, dir_fd=os.open('.', os.O_RDONLY))",
        "assert libc.syscall(452, -100, b'd', {mode}, 0) == 0",
    ]
    (place / "d").touch()
    for mode in ("0o4755", "0o2755", "0o6000"):
        assert succeeded(place, [attempt.format(mode=mode) for attempt in attempts]) == []
    usual = [attempt.format(mode="0o755") for attempt in attempts[:-1]]
    assert succeeded(place, usual) == usual
    assert all(path.stat().st_mode & 0o7000 == 0 for path in place.iterdir())


@needs_python
def test_nobody_gets_powers_of_the_kernel_in_a_namespace(place: Path) -> None:
    clone, unshare = (56, 272) if platform.machine() == "x86_64" else (220, 97)
    kinds = (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000, 0x02000000)
    attempts = [f"assert libc.syscall({unshare}, {kind}) == 0" for kind in (*kinds, 0x80)]
    attempts += [f"assert libc.syscall({clone}, {kind | 17}, 0, 0, 0, 0) >= 0" for kind in kinds]
    assert succeeded(place, attempts) == []
    usual = [f"assert libc.syscall({clone}, 17, 0, 0, 0, 0) >= 0", f"assert libc.syscall({unshare}, 0x400) == 0"]
    assert set(succeeded(place, usual)) == {*usual}


@needs_python
def test_nobody_watches_who_uses_which_files(place: Path) -> None:
    number = 300 if platform.machine() == "x86_64" else 262
    assert succeeded(place, [f"assert libc.syscall({number}, 0x200, 0) >= 0"]) == []  # FAN_REPORT_FID needs no rights


@needs_python
def test_of_the_kernel_s_own_sockets_only_routes_are_asked(place: Path) -> None:
    attempts = [f"socket.socket(16, 3, {protocol})" for protocol in (0, 4, 9, 15, 16)]
    for outside in (False, True):
        assert succeeded(place, attempts, outside=outside) == attempts[:1]


def test_nobody_outside_is_signalled(place: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        status, _ = run(place, f"kill {other.pid}")
        assert status != 0
        assert other.poll() is None
        other.kill()


def until_gone(mark: str) -> None:
    until = time.monotonic() + 10
    while processes(mark):
        assert time.monotonic() < until, f"{mark} outlives"
        time.sleep(0.02)


def test_all_ends_with_the_command(place: Path) -> None:
    assert run(place, "setsid sleep 8641 & (setsid setsid sleep 8641 &) ; exit 0")[0] == 0
    until_gone("sleep\0008641")


def test_all_ends_when_it_is_killed(place: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):  # which kills what it has started, and that alone
        run(place, "setsid sleep 8642 & sleep 8642", seconds=2)
    until_gone("sleep\0008642")


@needs_python
def test_more_processes_than_may_be_are_ended(place: Path) -> None:
    # Not one that doubles: should the bound not hold, the machine lives on.
    code = "import os, time\nfor n in range(400):\n    if os.fork() == 0:\n        time.sleep(8643)\ntime.sleep(8643)"
    status, _ = run(place, f"echo '{code}' > bomb.py; /usr/bin/python3 bomb.py; sleep 8643")
    assert status != 0
    until_gone("bomb.py")


@needs_python
def test_more_memory_than_may_be_ends_who_has_most_of_it(place: Path) -> None:
    # Four of 60 MB, of which two have room. No more than a machine has, should the bound not hold.
    hog = (
        "import os, signal, time\n"
        "def hold():\n    x = b'x' * (60 << 20)\n    time.sleep(8645)\n"
        "left = {pid for pid in (os.fork() or hold() for _ in range(4))}\n"
        "for _ in range(2):\n    pid, status = os.wait()\n    left.remove(pid)\n    print('ended by', status)\n"
        "for pid in left: os.kill(pid, signal.SIGTERM)\n"
    )
    (place / "hog.py").write_text(hog)
    status, said = run(place, "/usr/bin/python3 hog.py; echo $? goes on", memory_bytes=150 << 20)
    assert (status, said) == (0, "ended by 9\nended by 9\n0 goes on\n")


def test_the_kernel_ends_it_before_the_daemon(place: Path) -> None:
    assert run(place, "cat /proc/self/oom_score_adj") == (0, "500\n")


def test_a_file_that_grows_too_large_ends_its_writer(place: Path) -> None:
    status, _ = run(place, "cat /dev/zero > big", write=[str(place), "/dev/null", "/dev/zero"])
    assert status != 0
    assert (place / "big").stat().st_size == 1 << 20


def test_root_has_no_power_left(place: Path) -> None:
    status, said = run(place, "cat /proc/self/status")
    assert status == 0
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


def test_switched_off_it_confines_nothing(place: Path) -> None:
    assert run(place, "cat ../out/secret", confined=False) == (0, "SECRET")


def test_a_command_that_is_not_there(place: Path) -> None:
    ours, theirs = socket.socketpair()
    spec = {"confined": True, "read": SYSTEM, "write": [], "outside": False, "file_bytes": 1, "processes": 9,
            "memory_bytes": 1 << 30, "required": False, "kept": {}, "channel": theirs.fileno()}  # fmt: skip
    with ours, theirs:
        done = subprocess.run([*PROGRAM, json.dumps(spec), "/none"], capture_output=True, pass_fds=(theirs.fileno(),),
                              cwd=place, check=False)  # fmt: skip
    assert done.returncode == confine.FAILED
    assert b"cannot start the command in a sandbox" in done.stderr
