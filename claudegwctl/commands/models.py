"""claudegwctl models"""

from __future__ import annotations

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json, table

app = new_app()


@app.command(epilog="Example: claudegwctl models")
def models(ctx: typer.Context, json: AsJson = False) -> None:
    """List the models that clients can request.

    Each is listed with the name that is passed to the CLI. MODEL@NAME is a model in the workspace NAME, for the
    workspace's clients only."""
    found = daemon_of(ctx).get("/v1/models")
    if wants_json(ctx, json):
        say_json(found)
        return
    rows = (
        (
            model["id"],
            model.get("cli_name"),
            " ".join(model.get("efforts") or []),
            "default" if model["id"] == found.get("default") else None,
        )
        for model in found["models"]
    )
    for line in table(("model", "for the cli", "reasoning efforts", ""), rows):
        say(line)
