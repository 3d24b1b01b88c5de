"""The lab of tests/systemd/lab as a value: run programs in it, and ask its service manager."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPT = HERE / "lab"
UNIT = "claudegwd.service"
# For what takes a second or two alone; the machine may be busy.
PATIENCE_SECONDS = 60.0
COMMAND_SECONDS = 120.0

Done = subprocess.CompletedProcess[str]


def why_not() -> str:
    """Why there can be no lab here; "" if there can."""
    if sys.platform != "linux":
        return "no systemd outside Linux"
    done = subprocess.run([SCRIPT, "can"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


@contextmanager
def laboratory(directory: Path, binds: Mapping[Path, str]) -> Iterator[Lab]:
    """A booted lab; `binds` are places of this machine and where they are seen inside."""
    lab = Lab(directory)
    words = [f"{source}:{target}" for source, target in binds.items()]
    try:
        subprocess.run([SCRIPT, "up", directory, *words], check=True, timeout=COMMAND_SECONDS, capture_output=True)
        yield lab
    finally:
        subprocess.run([SCRIPT, "down", directory], check=True, timeout=COMMAND_SECONDS, capture_output=True)


class Lab:
    """Programs run in it as root, unless it says otherwise."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, *command: str, check: bool = True, given: str | None = None) -> Done:
        """A program inside; with `check`, AssertionError with its words if it fails."""
        done = subprocess.run(
            [SCRIPT, "exec", self._directory, *command],
            input=given, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def give(self, data: bytes, *command: str) -> None:
        """A program inside that reads `data`."""
        command_line = [SCRIPT, "exec", self._directory, *command]
        subprocess.run(command_line, input=data, timeout=COMMAND_SECONDS, check=True)

    def said(self, *command: str) -> str:
        return self.run(*command).stdout.strip()

    def write(self, path: str, text: str, mode: str = "644") -> None:
        self.run("mkdir", "-p", str(Path(path).parent))
        self.run("sh", "-c", f"umask 077 && cat >{path} && chmod {mode} {path}", given=text)

    def reboot(self) -> None:
        """Returns when all units have settled again."""
        before = self.said("cat", "/proc/sys/kernel/random/boot_id")
        command = [SCRIPT, "reboot", self._directory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.said("cat", "/proc/sys/kernel/random/boot_id") != before

    def ask(self, port: str, text: str) -> int:
        """The status of one answer, without the second that it takes to import OpenAI's library."""
        # The demo speaks at a pace at which one sees it stream; a few words are enough.
        body = {"model": "sonnet", "max_completion_tokens": 16, "messages": [{"role": "user", "content": text}]}
        address = f"http://127.0.0.1:{port}/v1/chat/completions"
        shown = ("-s", "-o", "/dev/null", "-w", "%{http_code}")
        return int(self.said("curl", *shown, "-H", "content-type: application/json", "-d", json.dumps(body), address))

    def visit(self, *words: str) -> Any:
        """What tests/systemd/visitor.py found out, in the lab's network."""
        with self.visiting(*words) as visitor:
            output = visitor.stdout.read() if visitor.stdout else ""
        assert visitor.returncode == 0, f"{words}: {output}"
        return json.loads(output.splitlines()[-1])

    @contextmanager
    def visiting(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """The same while it runs, to be read line by line."""
        command = [SCRIPT, "net", self._directory, sys.executable, "-m", "tests.systemd.visitor", *words]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as visitor:
            try:
                yield visitor
            finally:
                visitor.wait(COMMAND_SECONDS)


class Service:
    """The gateway's unit in a lab: the machine's, or with `user` that of a user."""

    def __init__(self, lab: Lab, user: str = "", number: int = 0) -> None:
        self.lab = lab
        self._records = ("-u", UNIT)
        self._prefix: tuple[str, ...] = ()
        self._control: tuple[str, ...] = ("systemctl",)
        if user:
            runtime = f"XDG_RUNTIME_DIR=/run/user/{number}"
            self._prefix = ("runuser", "-u", user, "--", "env", f"HOME=/home/{user}", runtime)
            self._control = (*self._prefix, "systemctl", "--user")
            self._records = (f"_UID={number}", f"_SYSTEMD_USER_UNIT={UNIT}")

    def control(self, *words: str, check: bool = True) -> Done:
        """systemctl, which waits until it is done."""
        return self.lab.run(*self._control, *words, check=check)

    def until_its_manager_runs(self) -> None:
        """A user's manager starts with the user's first login, or lingering."""
        self.until(lambda: self.control("is-system-running", check=False).stdout == "running\n", "the manager runs")

    def ctl(self, *words: str, check: bool = True) -> Done:
        """claudegwctl, as who runs the service."""
        return self.lab.run(*self._prefix, "claudegwctl", *words, check=check)

    def show(self, name: str) -> str:
        return self.lab.said(*self._control, "show", "-p", name, "--value", UNIT)

    @property
    def main_pid(self) -> int:
        """Never 0, which to kill(1) would be whoever calls it."""
        pid = int(self.show("MainPID"))
        assert pid > 0, "the daemon is not running"
        return pid

    def workers(self) -> list[int]:
        """The processes of the CLI."""
        return [pid for pid in self.processes() if pid != self.main_pid]

    def processes(self, group: str = "") -> list[int]:
        """All in the unit's control group, or in that of another time."""
        group = group or self.show("ControlGroup")
        listed = self.lab.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs", check=False).stdout
        return [int(pid) for pid in listed.split()] if group else []

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Ask again and again; each question takes some 20 ms."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, f"not so within {PATIENCE_SECONDS:g} s: {what}"

    def until_started_anew(self, before: int) -> None:
        """The manager has started another process than `before`, and that one has said that it is ready."""
        self.until(
            lambda: self.show("MainPID") not in ("0", str(before)) and self.show("ActiveState") == "active",
            "the manager starts it anew",
        )

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """The unit's records of this boot as the journal has them."""
        lines = self.lab.said("journalctl", "-b", *self._records, "-o", "json", "--all", *words)
        return [json.loads(line) for line in lines.splitlines()]
