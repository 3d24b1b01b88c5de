"""claudegwctl notify …"""

from __future__ import annotations

import typer

from claudegwctl.client import SLOW_SECONDS
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import Problem

_HELP = "Test the notifications, which are sent when, for example, a key fails or a budget is used up."
app = new_app(_HELP, "claudegwctl notify test")


@app.callback()
def _commands() -> None:
    """Without this, typer would make the only subcommand the command itself."""


@app.command("test", epilog="Example: claudegwctl notify test")
def try_out(ctx: typer.Context, json: AsJson = False) -> None:
    """Send a test notification to notify.command and notify.url, and report the result.

    Exit status 1 if either fails."""
    found = daemon_of(ctx).ask("POST", "/v1/notify/test", seconds=SLOW_SECONDS)
    if wants_json(ctx, json):
        say_json(found)
    else:
        for row in found["targets"]:
            if row["ok"]:
                said = f"; it answered: {row['said']}" if row["said"] else ""
                say(f"notify.{row['target']} delivered in {row['seconds']:.1f} s{said}")
    failed = [f"notify.{row['target']}: {row['error']}" for row in found["targets"] if not row["ok"]]
    if failed:
        raise Problem(f"cannot notify: {'; '.join(failed)}")
