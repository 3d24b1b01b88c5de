"""Changing config.toml in place: comments stay, and nothing that the daemon would refuse is written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from claudegwctl.problems import Problem

# Reading a configuration takes some 0.7 s, most of it Python's start.
CHECK_SECONDS: Final = 60.0


def read(file: Path) -> str:
    """Its text, "" where there is none yet. Raises Problem."""
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise Problem(f"cannot read {file}: {reason}") from None


def with_setting(text: str, key: str, value: str) -> str:
    """The text with a setting: `value` as TOML writes it, or the bare text of a string. Raises Problem."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    section, dot, name = key.partition(".")
    if not dot or not section or not name:
        raise Problem(f"cannot set {key!r}: write it as SECTION.KEY, such as workers.max")
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as error:
        raise Problem(f"cannot change the configuration: it is not valid TOML ({error})") from None
    if section not in document:
        document[section] = tomlkit.table()
    table = document[section]
    if not hasattr(table, "keys"):
        raise Problem(f"cannot set {key}: {section} is no section in the file; mend it by `claudegwctl config edit`")
    table[name] = _value(value)
    return tomlkit.dumps(document)


def without_setting(text: str, key: str) -> str:
    """The text without a setting, which is then at its default."""
    import tomlkit

    section, _, name = key.partition(".")
    document: Any = tomlkit.parse(text)
    if section in document and name in document[section]:
        del document[section][name]
    return tomlkit.dumps(document)


def _value(text: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.value(text)
    except TOMLKitError:
        return tomlkit.string(text)


def by_hand(text: str) -> str:
    """The text after its owner has worked on it in $VISUAL, $EDITOR or vi. Raises Problem."""
    import shlex

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    handle, name = tempfile.mkstemp(prefix="claudegwd-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        done = subprocess.run([*shlex.split(editor), name], check=False)  # noqa: S603 - the user's own editor
        if done.returncode:
            raise Problem(f"cannot edit: {editor} ended with status {done.returncode}; nothing was changed")
        return read(Path(name))
    except (OSError, ValueError):
        raise Problem(f"cannot start the editor {editor}: set EDITOR to one that there is") from None
    finally:
        Path(name).unlink(missing_ok=True)


def put_in_place(file: Path, text: str, state: Path | None = None) -> None:
    """Have the daemon's own program check the text, then replace the file by it at once. Raises Problem.

    `state`: where the daemon keeps its own, as it says; it may run as somebody else.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".config-", suffix=".toml", dir=file.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            new.chmod(file.stat().st_mode & 0o7777 if file.exists() else 0o644)
            check(new, file, state)
            new.replace(file.resolve())
        finally:
            with suppress(FileNotFoundError):
                new.unlink()
    except OSError as error:
        raise Problem(f"cannot write {file}: {error.strerror or 'refused'}; use sudo if it is not yours") from None


def check(new: Path, file: Path, state: Path | None = None) -> None:
    """Raises Problem with what the daemon would say of `file`, had it the content of `new`."""
    command = [sys.executable, "-m", "claudegwd", "--config", str(new), "--check"]
    env = {**os.environ, **({"STATE_DIRECTORY": str(state)} if state else {})}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            env=env,
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"cannot check the configuration within {CHECK_SECONDS:g} s; nothing was changed") from None
    if done.returncode:
        said = done.stderr.strip().replace(str(new), str(file)).removeprefix("claudegwd: ")
        raise Problem(f"{said or 'cannot check the configuration'}\nnothing was changed")
