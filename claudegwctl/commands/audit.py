"""claudegwctl audit"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json, table

app = new_app()

# Longer values are cut, as a reload may have changed whole tables. --json shows them in full.
COLUMN_CHARACTERS: Final = 80


@app.command(epilog="Example: claudegwctl audit -n 20")
def audit(
    ctx: typer.Context,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, max=10_000, help="How many changes to show.")] = 50,
    json: AsJson = False,
) -> None:
    """Show who changed what.

    Every change made over the control socket: by whom, and the old and the new value; the newest last."""
    found = daemon_of(ctx).get("/v1/audit", {"lines": lines})
    if wants_json(ctx, json):
        say_json(found)
        return
    rows = [list(_row(change)) for change in found["changes"]]
    for line in table(("when", "who", "pid", "what", "about", "from", "to"), rows) if rows else ["no changes"]:
        say(line)


def _row(change: Mapping[str, Any]) -> Iterator[object]:
    fields = dict(change["fields"])
    yield time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change["at"]))
    yield change["user"] or change["uid"]
    yield change["pid"]
    yield change["what"]
    before, after = fields.pop("before", None), fields.pop("after", None)
    yield _short(", ".join(_about(name, value) for name, value in fields.items() if value is not False))
    yield _short(before)
    yield _short(after)


def _about(name: str, value: object) -> str:
    if value is True:
        return name
    return f"{name} {'(no key)' if (name, value) == ('client', '') else value}"


def _short(value: object) -> object:
    return value[: COLUMN_CHARACTERS - 1] + "…" if isinstance(value, str) and len(value) > COLUMN_CHARACTERS else value
