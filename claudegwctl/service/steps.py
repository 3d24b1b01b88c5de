"""One step of installing or removing a service: what it is, whether it is done, how to do it, how to undo it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from claudegwctl.problems import Problem, unwritable
from claudegwd.atomic import put_file

# Starting waits until the daemon can answer, and stopping until its last answer has been sent: 90 s by the unit.
COMMAND_SECONDS: Final = 120
# The first lines of our files contain this; files without it are never replaced or removed.
MARK: Final = b"claudegw"


class Step(Protocol):
    """`does` and `undo` are for people. `do` may be called again; it raises Problem."""

    @property
    def does(self) -> str: ...

    @property
    def undo(self) -> str: ...

    def is_done(self) -> bool: ...

    def do(self) -> None: ...


@dataclass(frozen=True)
class PutFile:
    """A file with this content and mode; its directory is created if it is missing."""

    path: Path
    data: bytes
    mode: int = 0o644

    @property
    def does(self) -> str:
        return f"write {self.path}"

    @property
    def undo(self) -> str:
        return f"rm {shlex.quote(str(self.path))}"

    def is_done(self) -> bool:
        try:
            return self.path.read_bytes() == self.data
        except OSError:
            return False

    def refuse_others(self) -> None:
        """Raise Problem if a file that is not ours is in its place."""
        if self.path.exists() and not is_ours(self.path):
            raise Problem(
                f"cannot write {self.path}: a file that `claudegwctl install` did not write is there; move it "
                "away first"
            )

    def do(self) -> None:
        try:
            self.refuse_others()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            put_file(self.path, self.data, self.mode)
        except OSError as error:
            raise unwritable(self.path, error) from None


@dataclass(frozen=True)
class MakeDirectory:
    """A directory; `owner` is only set if it is not the user who installs."""

    path: Path
    mode: int = 0o755
    owner: str = ""

    @property
    def does(self) -> str:
        return f"create {self.path}" + (f" for {self.owner}" if self.owner else "")

    @property
    def undo(self) -> str:
        return f"rm -r {shlex.quote(str(self.path))} (with the daemon's files in it)"

    def is_done(self) -> bool:
        return self.path.is_dir()

    def do(self) -> None:
        import shutil

        try:
            self.path.mkdir(mode=self.mode, parents=True, exist_ok=True)
            if self.owner:
                shutil.chown(self.path, self.owner, self.owner)
        except (OSError, LookupError) as error:
            raise Problem(f"cannot create {self.path}: {error}") from None


@dataclass(frozen=True)
class Link:
    """A symbolic link, so that a program can be called by its name."""

    path: Path
    target: Path

    @property
    def does(self) -> str:
        return f"link {self.path} to {self.target}"

    @property
    def undo(self) -> str:
        return f"rm {shlex.quote(str(self.path))}"

    def is_done(self) -> bool:
        return self.path.is_symlink() and self.path.readlink() == self.target

    def do(self) -> None:
        try:
            if self.path.is_symlink():
                self.path.unlink()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.symlink_to(self.target)
        except OSError as error:
            raise Problem(f"cannot link {self.path}: {error.strerror or 'refused'}; move away what is there") from None


@dataclass(frozen=True)
class Remove:
    """Remove a file or link if it is ours."""

    path: Path

    @property
    def does(self) -> str:
        return f"remove {self.path}"

    @property
    def undo(self) -> str:
        return "claudegwctl install"

    def is_done(self) -> bool:
        return not os.path.lexists(self.path) or not is_ours(self.path)

    def do(self) -> None:
        try:
            self.path.unlink()
            with suppress(OSError):
                self.path.parent.rmdir()  # only if nothing else is in it
        except OSError as error:
            raise Problem(f"cannot remove {self.path}: {error.strerror or 'refused'}") from None


@dataclass(frozen=True)
class Run:
    """Run a system program. `done` returns whether there is nothing to do; `hint` says where to look if it fails."""

    does: str
    command: Sequence[str]
    done: Callable[[], bool]
    undo: str
    hint: str = ""

    def is_done(self) -> bool:
        return self.done()

    def do(self) -> None:
        line = shlex.join(self.command)
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program of the system
                self.command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Problem(f"cannot {self.does}: `{line}` did not run: {error}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
            raise Problem(f"cannot {self.does}: `{line}`: {said[0]}" + (f"; {self.hint}" if self.hint else ""))


def is_ours(path: Path) -> bool:
    """Whether we wrote the file or made the link: only then may it be replaced or removed."""
    if path.is_symlink():
        return MARK in os.fsencode(path.readlink())
    try:
        with path.open("rb") as file:
            # A property list begins with two lines of XML declarations.
            return MARK in b"".join(file.readline() for _ in range(4))
    except OSError:
        return False
