"""claudegwctl backup"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from claudegwctl.commands.version import own_version
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import NotRunning, UsageError

if TYPE_CHECKING:
    from claudegwctl.archive import Places

app = new_app()


@app.command(epilog="Example: claudegwctl backup gateway.tar")
def backup(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="The file to write.")], json: AsJson = False
) -> None:
    """Write configuration, upstream keys and state to one file that only you can read.

    It contains the keys' tokens, so keep it as safe as those. Kept responses are not included. The daemon may be
    running."""
    from claudegwctl.archive import back_up

    if str(file) == "-":
        raise UsageError("cannot write a backup to standard output: name a file; it is created readable only by you")
    names = back_up(places(ctx), file, own_version())
    if wants_json(ctx, json):
        say_json({"file": str(file), "holds": names})
    else:
        say(f"wrote {file}: {', '.join(names)}")


def places(ctx: typer.Context) -> Places:
    """The running daemon's files, or those that a daemon started by you would use."""
    from claudegwctl.archive import Places
    from claudegwctl.checks.finding import read_settings
    from claudegwd.contract import STATE_NAME, config_path, keys_path, places_of, state_directory

    env = places_of(os.environ, os.geteuid())
    try:
        daemon = daemon_of(ctx)
        found = daemon.get("/v1/config")
        config, kept = Path(found["path"]), daemon.get("/v1/status").get("state_file")
        settings = {row["key"]: row["value"] for row in found["settings"]}
    except NotRunning:
        config, kept = config_path(env)[0], None
        settings = read_settings(config, env)
    keys = keys_path(env, config, str(settings.get("keys.file", "")))
    return Places(config, keys, Path(kept) if kept else state_directory(env) / STATE_NAME)
