"""claudegwctl undrain"""

from __future__ import annotations

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl undrain")
def undrain(ctx: typer.Context, json: AsJson = False) -> None:
    """Tell load balancers that they may send requests here again."""
    done = daemon_of(ctx).ask("POST", "/v1/undrain")
    if wants_json(ctx, json):
        say_json(done)
    else:
        say("ready for new requests" if done["changed"] else "it was not draining")
