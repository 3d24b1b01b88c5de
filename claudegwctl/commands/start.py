"""claudegwctl start"""

from __future__ import annotations

import typer

from claudegwctl.options import AsJson, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl start")
def start(ctx: typer.Context, json: AsJson = False) -> None:
    """Start the service.

    Through systemd or launchd, as set up by `claudegwctl install` or a package."""
    from claudegwctl.service.running import control

    told = control("start")
    if wants_json(ctx, json):
        say_json(told)
    else:
        say(f"running: {told['service']}")
