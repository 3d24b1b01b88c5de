"""claudegwctl approve ID"""

from __future__ import annotations

from typing import Annotated

import typer

from claudegwctl.client import quoted
from claudegwctl.commands.approvals import names_of_approvals
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl approve 3f9a01c2")
def approve(
    ctx: typer.Context,
    ident: Annotated[
        str, typer.Argument(metavar="ID", help="As shown by `approvals`.", autocompletion=names_of_approvals)
    ],
    always: Annotated[
        bool, typer.Option("--always", help="Also allow exactly the same call from now on, until the daemon restarts.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Approve what Claude asks to do in a workspace."""
    done = daemon_of(ctx).ask("POST", f"/v1/approvals/{quoted(ident)}/approve", {"always": always})
    if wants_json(ctx, json):
        say_json(done)
    else:
        say(f"approved {done['id']}" + (", and the same call from now on" if always else ""))
