"""The contents of env.sh and of the blocks in shell files. Pure: bytes in, bytes out."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from claudegwd.keys.key import UpstreamKey

BEGIN: Final = b"# >>> claudegwd: the current key for new shells; written by claudegwd, do not edit >>>"
END: Final = b"# <<< claudegwd <<<"
# The same, for a file whose last line had no line break; the one we add is removed with the block.
_BEGIN_AFTER_OPEN_LINE: Final = BEGIN + b" (after a line without an end)"
# Only this prefix is compared, so that a later version may extend the line.
_BEGIN_MARK: Final = b"# >>> claudegwd"
_COMMENTED: Final = b"# commented out by claudegwd: "

# What the older gateway left behind, using sed. A line continued on the next one cannot be commented out alone.
_OLD_EXPORT: Final = re.compile(rb"([ \t]*)export\s+ANTHROPIC_(?:AUTH_TOKEN|BASE_URL)=(?:[^\n]*[^\n\\])?\n?")

_SOURCED_BY: Final = "# sourced by: "
_HEAD: Final = "# Written by claudegwd from keys.json: the current upstream key for new shells. Do not edit.\n"


@unique
class Shell(Enum):
    """Shells with different syntax. The values are the names that `claudegwctl env` takes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class DamagedBlock(ValueError):  # noqa: N818 - it names the fault
    """The marked block has a beginning but no end, so our part of the file cannot be determined."""


@dataclass(frozen=True, slots=True)
class ShellEdit:
    """A shell file's new content, and the numbers (from 1, in the old content) of the lines commented out."""

    data: bytes
    commented: tuple[int, ...] = ()


def env_lines(key: UpstreamKey | None, shell: Shell) -> str:
    """Lines for ``eval`` (fish: ``source``) that set the key's variables and unset those it does not use.

    Contains the token: write it only to the operator's own terminal or a file with mode 0600. Without a key, the shell
    is left as it is.
    """
    if key is None:
        return ""
    # Unset rather than empty: other programs treat an empty ANTHROPIC_BASE_URL as a host. The rules of keys.json keep
    # quotes and backslashes out of both values, so single quotes work in both sh and fish.
    set_, unset = ("set -gx {} {};\n", "set -e {};\n") if shell is Shell.FISH else ("export {}={}\n", "unset {}\n")
    return "".join(
        set_.format(name, _quoted(value)) if value else unset.format(name) for name, value in key.environment().items()
    )


def source_lines(env_file: str, shell: Shell) -> str:
    """Lines for ``eval`` that read env.sh, if it exists. They contain no token."""
    if shell is not Shell.FISH:
        path = shlex.quote(env_file)
        return f"if [ -r {path} ]; then . {path}; fi\n"
    path = "'" + env_file.replace("\\", "\\\\").replace("'", "\\'") + "'"
    rewrite = "string replace -r '^export (\\w+)=' 'set -gx $1 ' | string replace -r '^unset ' 'set -e '"
    return f"if test -r {path}; cat {path} | {rewrite} | source; end\n"


def env_file(key: UpstreamKey | None, shell_files: Sequence[str]) -> bytes:
    """The content of env.sh. It also lists the files that source it, so that blocks can be removed after a restart."""
    names = "".join(f"{_SOURCED_BY}{name}\n" for name in shell_files)
    return (_HEAD + names + env_lines(key, Shell.BASH)).encode(errors="surrogateescape")


def sourced_by(data: bytes) -> tuple[str, ...]:
    """The shell files that env.sh names."""
    lines = data.decode(errors="surrogateescape").split("\n")
    return tuple(line.removeprefix(_SOURCED_BY) for line in lines if line.startswith(_SOURCED_BY))


def with_block(data: bytes, env_file: str, shell: Shell) -> ShellEdit:
    """A shell file with our block, once, and without exports that would undo it. Raises DamagedBlock.

    An existing block keeps its place. Idempotent.
    """
    source = source_lines(env_file, shell).encode(errors="surrogateescape")
    begin = BEGIN
    kept: list[bytes] = []
    commented: list[int] = []
    place: int | None = None
    for number, line, ours in _lines(data):
        if ours:
            place = len(kept) if place is None else place
            begin = _BEGIN_AFTER_OPEN_LINE if line.rstrip() == _BEGIN_AFTER_OPEN_LINE else begin
        elif (old := _OLD_EXPORT.fullmatch(line)) is not None:
            # Indented means inside an if or a function, which must not become empty, so ":" stays as a command.
            kept.append(old[1] + (b": " if old[1] else b"") + _COMMENTED + line[len(old[1]) :])
            commented.append(number)
        else:
            kept.append(line)
    if place is None:
        if kept and not kept[-1].endswith(b"\n"):
            kept[-1] += b"\n"
            begin = _BEGIN_AFTER_OPEN_LINE
        place = len(kept)
    block = [begin + b"\n", *source.splitlines(keepends=True), END + b"\n"]
    return ShellEdit(b"".join(kept[:place] + block + kept[place:]), tuple(commented))


def without_block(data: bytes) -> ShellEdit:
    """A shell file without our block; nothing else changes. Raises DamagedBlock.

    A line break that was added with the block is removed with it, unless something was written after it.
    """
    kept: list[bytes] = []
    opened = False
    for _, line, ours in _lines(data):
        if not ours:
            kept.append(line)
            opened = False
        elif line.rstrip() == _BEGIN_AFTER_OPEN_LINE:
            opened = True
    rest = b"".join(kept)
    return ShellEdit(rest.removesuffix(b"\n") if opened else rest)


def _lines(data: bytes) -> list[tuple[int, bytes, bool]]:
    """Every line with its number and whether it belongs to a block of ours, markers included."""
    result = []
    inside = False
    for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", data), 1):
        inside = inside or line.startswith(_BEGIN_MARK)
        result.append((number, line, inside))
        if line.rstrip() == END:
            inside = False
    if inside:
        raise DamagedBlock("the claudegwd block has no end line; remove that block by hand")
    return result


def _quoted(value: str) -> str:
    # Always quoted: shlex.quote leaves plain words bare, which makes readers wonder about the rule.
    return "'" + value + "'"
