"""claudegwctl rotate"""

from __future__ import annotations

from typing import Annotated

import typer

from claudegwctl.options import AsJson, daemon_of, names_of_keys, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl rotate second")
def rotate(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The key to use; without it the next one.", autocompletion=names_of_keys)
    ] = None,
    json: AsJson = False,
) -> None:
    """Make another upstream key the active one.

    Conversations under way stay with their key; new ones use the active one.
    """
    done = daemon_of(ctx).ask("POST", "/v1/rotate", {"to": name})
    if wants_json(ctx, json):
        say_json(done)
    elif done.get("from") == done["to"]:
        say(f"{done['to']} was the active key already")
    else:
        say(f"now using {done['to']}" + (f" (before: {done['from']})" if done.get("from") else ""))
