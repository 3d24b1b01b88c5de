"""Edit config.toml in place: comments are kept, and nothing that the daemon would refuse is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from claudegwctl.output import note
from claudegwctl.problems import Problem, UsageError, unwritable
from claudegwd.atomic import FileBusy, FileState, edit_file, put_file, read_state

# Checking a configuration takes about 0.7 s, most of it Python's start.
CHECK_SECONDS: Final = 60.0
# To wait for others who are changing the file: each has its text checked.
TURN_SECONDS: Final = 2 * CHECK_SECONDS
# Far more than anybody writes by hand; it bounds what is read.
MAX_FILE_BYTES: Final = 8 * 2**20


class ChangedMeanwhile(Problem):
    """The file has changed since its text was read for editing."""


def read(file: Path) -> str:
    """The file's text, "" if there is none yet. Raises Problem."""
    try:
        return _text(read_state(file, limit=MAX_FILE_BYTES).data or b"", file)
    except OSError as error:
        raise Problem(f"cannot read {file}: {error.strerror or 'it is not a regular file, or too large'}") from None


def _text(data: bytes, file: Path) -> str:
    try:
        return data.decode("utf-8-sig")  # some editors begin with a byte order mark, which the daemon accepts
    except UnicodeDecodeError:
        raise Problem(f"cannot read {file}: it is not UTF-8; save it as UTF-8") from None


def with_setting(text: str, key: str, value: str) -> str:
    """The text with a setting: `value` is a TOML value, or a string without its quotes. Raises Problem."""
    import tomlkit

    section, dot, name = key.partition(".")
    if not dot or not section or not name:
        raise UsageError(f"cannot set {key!r}: write it as SECTION.KEY, such as workers.max")
    document = _parsed(text)
    if section not in document:
        document[section] = tomlkit.table()
    table = document[section]
    if not hasattr(table, "keys"):
        raise Problem(
            f"cannot set {key}: {section} is not a section in the file; fix it with `claudegwctl config edit`"
        )
    table[name] = _value(value)
    return tomlkit.dumps(document)


def without_setting(text: str, key: str) -> str:
    """The text without a setting, which is then at its default. Raises Problem."""
    import tomlkit

    section, _, name = key.partition(".")
    document = _parsed(text)
    if section in document and name in document[section]:
        del document[section][name]
    return tomlkit.dumps(document)


def workspaces_in(text: str) -> dict[str, Any]:
    """The tables `[workspaces.NAME]` by name, as they are written. Raises Problem."""
    found = _parsed(text).unwrap().get("workspaces", {})
    return {name: table for name, table in found.items() if isinstance(table, dict)} if isinstance(found, dict) else {}


def with_workspace(text: str, name: str, settings: Mapping[str, Any]) -> str:
    """The text with `[workspaces.NAME]` at its end, so that no comment about something else ends up above it."""
    import tomlkit

    document, above, table = tomlkit.document(), tomlkit.table(is_super_table=True), tomlkit.table()
    table.update(settings)
    above[name] = table
    document["workspaces"] = above
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    return before + tomlkit.dumps(document)


def without_workspace(text: str, name: str) -> str:
    """The text without `[workspaces.NAME]`. Comments after its last key are kept: they are about what follows."""
    import tomlkit

    document = _parsed(text)
    table: Any = document["workspaces"].pop(name)
    if not document["workspaces"]:
        del document["workspaces"]
    rest = ""
    for key, item in reversed(table.value.body if isinstance(table, tomlkit.items.Table) else []):
        if key is not None:
            break
        rest = item.as_string() + rest
    head = rf"^[ \t]*\[\s*workspaces\s*\.\s*{re.escape(name)}\s*\][^\n]*\n"
    new = re.sub(
        head + re.escape(table.as_string()), lambda _: rest.removeprefix("\n"), text, count=1, flags=re.MULTILINE
    )
    new = f"{new.rstrip()}\n" if new.strip() else ""
    # If the table is written in another form, let tomlkit remove it.
    return new if new != text and _parsed(new).unwrap() == document.unwrap() else tomlkit.dumps(document)


def _parsed(text: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise Problem(
            f"cannot change the configuration: it is not valid TOML ({error}); fix it with `claudegwctl config edit`"
        ) from None


def _value(text: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.value(text)
    except TOMLKitError:
        return tomlkit.string(text)


def by_hand(text: str) -> str:
    """The text after the user has edited it in $VISUAL, $EDITOR or vi. Raises Problem."""
    import shlex

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    if editor == "vi" and not sys.stdin.isatty():  # it would wait for keys that nobody presses
        raise Problem("cannot start an editor without a terminal: use `claudegwctl config set`, or set EDITOR")
    handle, name = tempfile.mkstemp(prefix="claudegwd-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        done = subprocess.run([*shlex.split(editor), name], check=False)  # noqa: S603 - the user's own editor
        if done.returncode:
            raise Problem(f"cannot edit: {editor} exited with status {done.returncode}; nothing was changed")
        return read(Path(name))
    except (OSError, ValueError):
        raise Problem(f"cannot start the editor {editor}: set EDITOR to one that is installed") from None
    finally:
        Path(name).unlink(missing_ok=True)


def change(file: Path, edit: Callable[[str], str], state: Path | None = None) -> tuple[str, bool]:
    """Replace the file's text with what `edit` makes of it, atomically, if the daemon's own program accepts that.

    Returns the new text, and whether it differs. Concurrent changes take turns, and `edit` may be called again. `state`
    is the state directory that the daemon reports; it may run as another user. Raises Problem, and whatever `edit`
    raises.
    """
    made = ""

    def edited(before: FileState) -> bytes:
        nonlocal made
        made = edit(_text(before.data or b"", file))
        return made.encode()

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        changed = edit_file(
            file,
            edited,
            new_mode=0o644,
            limit=MAX_FILE_BYTES,
            seconds=TURN_SECONDS,
            check=lambda new: check(new, file, state),
        )
    except FileBusy as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise unwritable(file, error) from None
    return made, changed


def keep_beside(file: Path, text: str) -> Path:
    """Save a text that could not replace the file beside it, readable only by its owner. Raises OSError."""
    kept = file.with_name(f"{file.name}.edited-{time.strftime('%Y%m%d-%H%M%S')}")
    put_file(kept, text.encode(), 0o600)
    return kept


def check(new: Path, file: Path, state: Path | None = None) -> None:
    """Raise Problem, in the daemon's words, if it would refuse `file` with the content of `new`. What it would only
    note goes to standard error."""
    done = _daemons_own("claudegwd", "--config", str(new), "--check", state=state)
    if done.returncode:
        said = done.stderr.strip().replace(str(new), str(file)).removeprefix("claudegwd: ")
        raise Problem(f"{said or 'cannot check the configuration'} (nothing was changed)")
    for line in done.stdout.splitlines():
        if line.startswith("note: "):
            note(line.removeprefix("note: "))


def checked_workspaces(file: Path, state: Path | None = None) -> dict[str, Any]:
    """What the daemon's own checks say about the workspaces in `file`: path, errors, workspaces. Raises Problem."""
    done = _daemons_own("claudegwd.workspaces", *([str(file)] if file.exists() else []), state=state)
    if done.returncode:
        raise Problem(f"cannot check the workspaces: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _daemons_own(module: str, *arguments: str, state: Path | None) -> subprocess.CompletedProcess[str]:
    """Run one of the daemon's own programs, as importing it would slow the control CLI down."""
    try:
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **({"STATE_DIRECTORY": str(state)} if state else {})},
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"cannot check the configuration within {CHECK_SECONDS:g} s; nothing was changed") from None
