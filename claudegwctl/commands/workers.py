"""claudegwctl workers"""

from __future__ import annotations

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import duration, megabytes, say, say_json, table

app = new_app()


@app.command(epilog="Example: claudegwctl workers")
def workers(ctx: typer.Context, json: AsJson = False) -> None:
    """List the CLI processes.

    What each is doing, for which client and under which key, and how much memory it takes."""
    found = daemon_of(ctx).get("/v1/workers")
    if wants_json(ctx, json):
        say_json(found)
        return
    heads = ("pid", "state", "client", "key", "uses", "age", "memory")
    rows = (
        (
            worker.get("pid"),
            worker.get("state"),
            worker.get("client"),
            worker.get("key"),
            worker.get("uses"),
            duration(worker.get("age_seconds", 0)),
            megabytes(worker.get("rss_bytes")),
        )
        for worker in found["workers"]
    )
    lines = table(heads, rows)
    for line in lines if found["workers"] else ["no workers"]:
        say(line)
