"""claudegwctl config …"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from claudegwctl.client import COMPLETION_SECONDS, Daemon
from claudegwctl.commands.reload import changes
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import coloured, note, plain, say, say_json
from claudegwctl.problems import NotRunning, Problem, UsageError
from claudegwd.contract import config_path, is_there, places_of


def names_of_settings(ctx: typer.Context, incomplete: str) -> list[str]:
    try:
        rows = daemon_of(ctx).ask("GET", "/v1/config", seconds=COMPLETION_SECONDS)["settings"]
    except (Problem, KeyError, OSError):
        return []
    return [row["key"] for row in rows if row["key"].startswith(incomplete)]


app = new_app("Show, check and change the configuration.", "claudegwctl config show --all")


@app.command("show", epilog="Example: claudegwctl config show --all")
def show(
    ctx: typer.Context,
    all_keys: Annotated[bool, typer.Option("--all", "-a", help="Include settings at their defaults.")] = False,
    json: AsJson = False,
) -> None:
    """Show the configuration in effect, in the form of config.toml. It contains no secrets."""
    found = daemon_of(ctx).get("/v1/config")
    if wants_json(ctx, json):
        say_json(found)
        return
    for line in lines(found, all_keys=all_keys):
        say(line)


@app.command("check", epilog="Example: claudegwctl config check")
def check(ctx: typer.Context, json: AsJson = False) -> None:
    """Check whether the file is valid, and show what a reload would change. Changes nothing.

    Without a running daemon: `claudegwd --check`.
    """
    found = daemon_of(ctx).ask("POST", "/v1/config/check")
    if wants_json(ctx, json):
        say_json(found)
        return
    if not (would := list(changes(found, nothing=""))):
        say(f"{found['path']} is valid; a reload would change nothing")
        return
    say(f"{found['path']} is valid; a reload would change:")
    for line in would:
        say(f"  {line}")


@app.command("path", epilog='Example: $EDITOR "$(claudegwctl config path)"')
def path(ctx: typer.Context, json: AsJson = False) -> None:
    """Print the path of config.toml: the running daemon's, or the one that a daemon started by you would read."""
    try:
        found = daemon_of(ctx).get("/v1/config")
        answer = {"path": found["path"], "exists": found["exists"], "running": True}
    except NotRunning:
        usual, _ = config_path(places_of(os.environ, os.geteuid()))
        answer = {"path": str(usual), "exists": is_there(usual), "running": False}
    if wants_json(ctx, json):
        say_json(answer)
        return
    if not answer["running"]:
        note("claudegwd is not running; if you start it, it will look here:")
    say(str(answer["path"]))


@app.command("get", epilog="Example: claudegwctl config get workers.max")
def get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="SECTION.KEY.", autocompletion=names_of_settings)],
    json: AsJson = False,
) -> None:
    """Print the value of one setting in effect."""
    row = _setting(daemon_of(ctx), key)
    if wants_json(ctx, json):
        say_json(row)
    else:
        say(row["value"] if isinstance(row["value"], str) else plain(row["value"]))


def _setting(daemon: Daemon, key: str) -> dict[str, Any]:
    """The setting in effect, with its source. Raises Problem."""
    rows: list[dict[str, Any]] = daemon.get("/v1/config")["settings"]
    row = next((row for row in rows if row["key"] == key), None)
    if row is None:
        from difflib import get_close_matches

        near = get_close_matches(key, [row["key"] for row in rows], 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise Problem(f"cannot find the setting {key!r}: {hint}`claudegwctl config show --all` lists them")
    return row


@app.command("set", epilog="Example: claudegwctl config set workers.max 4")
def put(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="SECTION.KEY.", autocompletion=names_of_settings)],
    value: Annotated[str | None, typer.Argument(help="As in config.toml; quotes may be omitted.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Remove the setting from the file.")] = False,
    json: AsJson = False,
) -> None:
    """Write one setting to config.toml. Comments are kept, and values that the daemon would refuse are not written.

    It takes effect at the next reload; a few settings need a restart, which the answer says.
    """
    from claudegwctl import editing

    if (value is None) is not default:
        raise UsageError(f"cannot set {key}: give a value, or --default to remove it from the file")
    file, state = place(ctx)

    def edit(text: str) -> str:
        return editing.without_setting(text, key) if value is None else editing.with_setting(text, key, value)

    _, changed = editing.change(file, edit, state)
    overriding = ""
    with suppress(Problem if changed else NotRunning):  # what was removed may be what the daemon does not know
        source = _setting(daemon_of(ctx), key)["source"]
        overriding = "" if source in {"default", "file"} else source
    _written(ctx, json, file, changed=changed, overriding=overriding)


@app.command("edit", epilog="Example: claudegwctl config edit")
def edit(ctx: typer.Context, json: AsJson = False) -> None:
    """Open config.toml in your editor. What the daemon would refuse is not saved; you can fix it at once."""
    from claudegwctl import editing

    file, state = place(ctx)
    before = text = editing.read(file)
    while True:
        text = editing.by_hand(text)
        try:
            _, changed = editing.change(file, partial(_unless_changed, file, before, text), state)
        except editing.ChangedMeanwhile:
            raise
        except Problem as problem:
            note(str(problem))
            if not sys.stdin.isatty() or not typer.confirm("edit again?", default=True, err=True):
                raise typer.Exit(problem.exit_code) from None
        else:
            _written(ctx, json, file, changed=changed)
            return


def _unless_changed(file: Path, before: str, text: str, now: str) -> str:
    """The edited text. Raises ChangedMeanwhile if somebody else has changed the file in the meantime."""
    from claudegwctl import editing

    if now in {before, text}:
        return text
    raise editing.ChangedMeanwhile(
        f"cannot write {file}: it was changed by somebody else in the meantime; your version is saved as "
        f"{editing.keep_beside(file, text)}"
    )


def _written(ctx: typer.Context, json: bool, file: Path, *, changed: bool, overriding: str = "") -> None:
    """`overriding` is the variable in the daemon's environment that sets the same."""
    if wants_json(ctx, json):
        say_json({"path": str(file), "changed": changed})
    elif not changed:
        say(f"{file} needs no change")
    elif not overriding:
        say(f"wrote {file}; {_when(daemon_of(ctx))}")
    else:
        say(f"wrote {file}")
    if overriding:
        note(f"it has no effect: {overriding} in the daemon's environment overrides it")


def _when(daemon: Daemon) -> str:
    """When what was written takes effect. The daemon knows which settings need a restart."""
    try:
        would = daemon.ask("POST", "/v1/config/check")["changes"]
    except NotRunning:
        return "claudegwd is not running, and applies it when it starts"
    except Problem:  # another part is invalid, which a reload reports
        would = []
    later = [change["key"] for change in would if change["needs_restart"]]
    if not later:
        return "`claudegwctl reload` applies it"
    if len(later) == len(would):
        return "it takes effect after a restart of claudegwd (`claudegwctl restart`, if it is a service)"
    return f"`claudegwctl reload` applies it, except {', '.join(later)}: a restart of claudegwd is needed"


def place(ctx: typer.Context) -> tuple[Path, Path | None]:
    """The path of config.toml, and the state directory of a running daemon."""
    daemon = daemon_of(ctx)
    try:
        state = daemon.get("/v1/status").get("state_file")
        return Path(daemon.get("/v1/config")["path"]), Path(state).parent if state else None
    except NotRunning:
        return config_path(places_of(os.environ, os.geteuid()))[0], None


def lines(found: Mapping[str, Any], *, all_keys: bool) -> Iterator[str]:
    """The answer to GET /v1/config as TOML with comments."""
    yield coloured(f"# {found['path']}" + ("" if found["exists"] else ", which does not exist"), "dim")
    if all(row["source"] == "default" for row in found["settings"]):
        yield coloured("# everything is at its default" + ("" if all_keys else "; --all shows it"), "dim")
    section = ""
    for row in found["settings"]:
        if row["source"] == "default" and not all_keys:
            continue
        head, _, name = row["key"].partition(".")
        if head != section:
            section = head
            yield f"[{section}]"
        source = "" if row["source"] == "file" else coloured(f"  # {row['source']}", "dim")
        yield f"{name} = {plain(row['value'])}{source}"
    for change in found.get("waiting_for_restart", []):
        yield coloured(f"# after a restart: {change['key']} = {plain(change['new'])}", "yellow")
    for warning in found.get("warnings", []):
        yield coloured(f"# warning: {warning}", "yellow")
