"""Where a workspace may be: not where the daemon keeps its own files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from claudegwd import contract
from claudegwd.config.problems import ConfigError, Errors
from claudegwd.config.schema import Config, FilePath, Section, WorkspaceConfig
from claudegwd.workspaces.rules import below, granted, parse_rule

# Nobody works in these, and with write access there one could do anything.
_NEVER: Final = ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin",
                 "/sys", "/tmp", "/usr", "/var")  # fmt: skip  # noqa: S108 - compared

# Names in a path and in the links that it leads through: the kernel follows 40 links.
MAX_STEPS: Final = 1000


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """`secret`: invisible in workspaces, with all that contains it; `programs`: the daemon runs these outside
    any sandbox, so nobody may write there; `scratch`: where each process has its own directory."""

    secret: Sequence[Path]
    programs: Sequence[Path]
    scratch: Path


def files_named(config: Config) -> Iterator[str]:
    """All files named in sections other than workspaces: mostly secrets, or trusted by the daemon."""
    for name in config.__struct_fields__:
        section = getattr(config, name)
        if isinstance(section, Section):
            for key, hint in get_type_hints(type(section), include_extras=True).items():
                yield from filter(None, _paths(hint, getattr(section, key)))


def _paths(hint: Any, value: Any) -> Sequence[str]:
    if hint == FilePath:
        return (value,)
    return value if any(FilePath in get_args(each) for each in (hint, *get_args(hint))) else ()


def check_places(workspaces: Mapping[str, WorkspaceConfig], file: str, own: OwnPlaces, errors: Errors) -> None:
    """Reject directories that do not exist, those that contain or are in the daemon's own places, and those that
    somebody who works in a workspace could replace."""
    anywhere = [place for each in workspaces.values() for place in _written(each)]
    for name, workspace in workspaces.items():
        try:
            directory = Path(workspace.directory).expanduser().resolve(strict=True)
            if not directory.is_dir():
                raise NotADirectoryError
        except (OSError, RuntimeError):
            text = "is not an existing directory: create it, or choose another that the daemon's user can enter"
            errors.add(ConfigError(file, f"workspaces.{name}.directory", text))
            continue
        for path, written, key in _opened(workspace):
            place = str(Path(path).resolve())
            problem = _forbidden(place, own, whole=key == "directory", written=written) or _led(path, anywhere)
            if problem:
                errors.add(ConfigError(file, f"workspaces.{name}.{key}", problem))
        if problem := _of_servers(workspace, anywhere):
            errors.add(ConfigError(file, f"workspaces.{name}.mcp", problem))


def _opened(workspace: WorkspaceConfig) -> Iterator[tuple[str, bool, str]]:
    """The directory and what rules allow outside it, as written; whether it is writable; and the setting."""
    writes = contract.workspace_writes(workspace.tools, workspace.allow)
    yield str(Path(workspace.directory).expanduser()), writes, "directory"
    for rule in map(parse_rule, workspace.allow):
        path = granted(rule.pattern)
        if path is not None:
            yield path, rule.tool != "Read", "allow"


def _written(workspace: WorkspaceConfig) -> Iterator[str]:
    with suppress(RuntimeError):  # no such home: reported with its directory
        yield from (os.path.realpath(path) for path, written, _ in _opened(workspace) if written)


def _looked_up(path: str) -> Iterator[str]:
    """Each name on the way to this absolute path, those of links included."""
    place, left = "/", path.split("/")[::-1]
    for _ in range(MAX_STEPS):
        name = left.pop() if left else ""
        if name in ("", ".", ".."):
            place = posixpath.dirname(place) if name == ".." else place
            continue
        step = posixpath.join(place, name)
        yield step
        target = os.readlink(step) if os.path.islink(step) else None  # noqa: PTH114, PTH115 - pathlib drops slashes
        place = step if target is None else "/" if target.startswith("/") else place
        left += target.split("/")[::-1] if target is not None else []


def _inside(place: str, step: str) -> bool:
    """Whether somebody who may write in the place can replace this: not the place itself."""
    return step != place and below(place, step)


def _led(path: str, written: Sequence[str]) -> str:
    for step in _looked_up(path):
        if os.path.islink(step) and any(_inside(place, step) for place in written):  # noqa: PTH114 - a text
            return f"leads through {step}, a link that Claude can change: name the directory itself"
    return ""


def _forbidden(place: str, own: OwnPlaces, *, whole: bool, written: bool) -> str:
    if whole and place in (*_NEVER, str(Path.home().resolve())):
        return f"cannot be {place}: choose the directory of a single project"
    for secret in _resolved(own.secret):
        if below(place, secret) or below(secret, place):
            return f"exposes {place}, where the daemon keeps its own files ({secret}): choose another directory"
    if below(place, str(own.scratch.resolve())):
        return f"exposes {place}, where all processes have their scratch directories: choose another directory"
    for program in _resolved(own.programs) if written else ():
        if below(place, program) or below(program, place):
            return (
                f"exposes {place}, where the daemon's own programs could be changed ({program}): choose another "
                "directory, or allow only tools that read"
            )
    return ""


def _of_servers(workspace: WorkspaceConfig, written: Sequence[str]) -> str:
    if not workspace.mcp:
        return ""
    path = contract.expanded(workspace.mcp).absolute()
    if not path.is_file():
        return "is not an existing file: create it as for `claude --mcp-config`"
    steps = [*_looked_up(str(path))]
    if any(below(place, str(path.resolve())) or any(_inside(place, step) for step in steps) for place in written):
        return "names a file that Claude can write, and so choose what is started: move it to where no workspace writes"
    return ""


def _resolved(paths: Sequence[Path]) -> Iterator[str]:
    # A program is started by its name, so both the link's place and its target count.
    for path in paths:
        yield from dict.fromkeys((str(path.parent.resolve() / path.name), str(path.resolve())))
