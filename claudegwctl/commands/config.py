"""claudegwctl config …"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from claudegwctl.commands.reload import changes
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import coloured, note, plain, say, say_json
from claudegwctl.problems import NotRunning
from claudegwd.contract import config_path, is_there

app = new_app("The configuration.", "claudegwctl config show --all")


@app.command("show", epilog="Example: claudegwctl config show --all")
def show(
    ctx: typer.Context,
    all_keys: Annotated[bool, typer.Option("--all", "-a", help="Also what is at its default.")] = False,
    json: AsJson = False,
) -> None:
    """Show the configuration in effect, as config.toml would say it. Secrets are no part of it."""
    found = daemon_of(ctx).get("/v1/config")
    if wants_json(ctx, json):
        say_json(found)
        return
    for line in lines(found, all_keys=all_keys):
        say(line)


@app.command("check", epilog="Example: claudegwctl config check")
def check(ctx: typer.Context, json: AsJson = False) -> None:
    """Say whether the file would do, and what a reload would change. Nothing is changed.

    Without a running daemon: `claudegwd --check`.
    """
    found = daemon_of(ctx).ask("POST", "/v1/config/check")
    if wants_json(ctx, json):
        say_json(found)
        return
    if not (would := list(changes(found, nothing=""))):
        say(f"{found['path']} is fine; a reload would change nothing")
        return
    say(f"{found['path']} is fine; a reload would change:")
    for line in would:
        say(f"  {line}")


@app.command("path", epilog='Example: $EDITOR "$(claudegwctl config path)"')
def path(ctx: typer.Context, json: AsJson = False) -> None:
    """Say where config.toml lies: the daemon's, or where one that you start would look."""
    try:
        found = daemon_of(ctx).get("/v1/config")
        answer = {"path": found["path"], "exists": found["exists"], "running": True}
    except NotRunning:
        usual, _ = config_path(os.environ)
        answer = {"path": str(usual), "exists": is_there(usual), "running": False}
    if wants_json(ctx, json):
        say_json(answer)
        return
    if not answer["running"]:
        note("claudegwd is not running; one that you start would look here:")
    say(str(answer["path"]))


def lines(found: Mapping[str, Any], *, all_keys: bool) -> Iterator[str]:
    """The answer of GET /v1/config as TOML with comments."""
    yield coloured(f"# {found['path']}" + ("" if found["exists"] else " (no such file: all is at its default)"), "dim")
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
    if not section:
        yield coloured("# everything is at its default; --all shows it", "dim")
    for change in found.get("waiting_for_restart", []):
        yield coloured(f"# after a restart: {change['key']} = {plain(change['new'])}", "yellow")
    for warning in found.get("warnings", []):
        yield coloured(f"# warning: {warning}", "yellow")
