"""claudegwctl deny ID"""

from __future__ import annotations

from typing import Annotated

import typer

from claudegwctl.client import quoted
from claudegwctl.commands.approvals import names_of_approvals
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl deny 3f9a01c2 --why 'use the test database'")
def deny(
    ctx: typer.Context,
    ident: Annotated[
        str, typer.Argument(metavar="ID", help="As shown by `approvals`.", autocompletion=names_of_approvals)
    ],
    why: Annotated[str, typer.Option("--why", help="The reason; Claude is told.")] = "",
    json: AsJson = False,
) -> None:
    """Deny what Claude asks to do in a workspace, and tell it why."""
    done = daemon_of(ctx).ask("POST", f"/v1/approvals/{quoted(ident)}/deny", {"why": why})
    if wants_json(ctx, json):
        say_json(done)
    else:
        say(f"denied {done['id']}")
