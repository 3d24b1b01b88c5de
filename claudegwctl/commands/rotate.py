"""claudegwctl rotate"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claudegwctl.options import AsJson, daemon_of, names_of_keys, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl rotate second")
def rotate(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The key to use; if omitted, the next one.", autocompletion=names_of_keys)
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Do this on every machine that shares a store with this one.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Make another upstream key the active one.

    Conversations already running stay with their key; new ones use the active one.
    """
    body: dict[str, Any] = {"to": name, "all": True} if everywhere else {"to": name}
    done = daemon_of(ctx).ask("POST", "/v1/rotate", body)
    if wants_json(ctx, json):
        say_json(done)
    elif everywhere:
        say(f"all machines are now using {done['to']}")
    elif done.get("from") == done["to"]:
        say(f"{done['to']} was already the active key")
    else:
        say(f"now using {done['to']}" + (f" (before: {done['from']})" if done.get("from") else ""))
