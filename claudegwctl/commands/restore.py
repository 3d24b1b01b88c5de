"""claudegwctl restore"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import NotRunning, Problem

app = new_app()


@app.command(epilog="Example: claudegwctl restore gateway.tar")
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file written by `claudegwctl backup`.")],
    json: AsJson = False,
) -> None:
    """Restore what `claudegwctl backup` wrote. Replaced files are kept beside the new ones.

    The daemon must be stopped."""
    from claudegwctl import archive
    from claudegwctl.commands.backup import places

    try:
        daemon_of(ctx).get("/v1/status")
    except NotRunning:
        done = archive.restore(file, places(ctx))
    else:
        raise Problem("cannot restore while claudegwd is running: stop it first (`claudegwctl stop`)")
    if wants_json(ctx, json):
        kept = {name: str(each.kept) for name, each in done.items() if each.kept is not None}
        say_json({"restored": {name: str(each.path) for name, each in done.items()}, "kept": kept})
        return
    for each in done.values():
        say(f"restored {each.path}" + (f"; the previous one is saved as {each.kept.name}" if each.kept else ""))
