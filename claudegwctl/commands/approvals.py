"""claudegwctl approvals"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from claudegwctl.client import COMPLETION_SECONDS
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()

# Short enough that nobody who waits for an approval notices the polling.
LOOK_SECONDS: Final = 1.0


@app.command(epilog="Example: claudegwctl approvals -f")
def approvals(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new ones until Ctrl-C.")] = False,
    json: AsJson = False,
) -> None:
    """List what Claude asks to do in workspaces.

    Each waits for `approve ID` or `deny ID`; after five minutes it is denied."""
    try:
        _print(ctx, follow=follow, as_json=wants_json(ctx, json))
    except KeyboardInterrupt:
        if not follow:  # with --follow, it is how to stop
            raise


def _print(ctx: typer.Context, *, follow: bool, as_json: bool) -> None:
    seen: set[str] = set()
    while True:
        found = daemon_of(ctx).get("/v1/approvals")
        if as_json and not follow:
            say_json(found)
            return
        new = [row for row in found["approvals"] if row["id"] not in seen]
        seen = {row["id"] for row in found["approvals"]}
        for row in new:
            if as_json:
                say_json(row)
            else:
                for line in _lines(row):
                    say(line)
        if not follow:
            if not new:
                say("nothing is waiting for approval")
            return
        time.sleep(LOOK_SECONDS)


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    client = row["client"] or "a client without a key"
    since = time.strftime("%H:%M:%S", time.localtime(row["asked"]))
    yield f"{row['id']}  {since}  {row['workspace']} ({row['directory']}), for {client}"
    for line in row["shown"].split("\n"):
        yield f"    {line}"
    yield f"  {row['why']}"


def names_of_approvals(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """For shell completion."""
    try:
        rows = daemon_of(ctx).ask("GET", "/v1/approvals", seconds=COMPLETION_SECONDS)["approvals"]
    except (Exception, SystemExit):  # noqa: BLE001 - a completion that fails offers nothing
        return []
    return [row["id"] for row in rows if row["id"].startswith(incomplete)]
