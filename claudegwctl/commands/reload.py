"""claudegwctl reload"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from claudegwctl.client import SLOW_SECONDS
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import plain, say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl reload")
def reload(ctx: typer.Context, json: AsJson = False) -> None:
    """Reload configuration and keys.

    Returns when it is done. If they are invalid, nothing changes and the exit status is 1."""
    done = daemon_of(ctx).ask("POST", "/v1/reload", seconds=SLOW_SECONDS)  # it may have to start another CLI first
    if wants_json(ctx, json):
        say_json(done)
        return
    for line in changes(done):
        say(line)


def changes(answer: Mapping[str, Any], *, nothing: str = "nothing changed") -> Iterator[str]:
    """What a reload changed, or would change, for people; `nothing` if there are no changes."""
    found = False
    for change in answer.get("changes", []):
        found = True
        later = "  (after a restart)" if change.get("needs_restart") else ""
        yield f"{change['key']}: {plain(change['old'])} -> {plain(change['new'])}{later}"
    for word, names in (answer.get("keys") or {}).items():
        if names:
            found = True
            yield f"keys {word}: {', '.join(names)}"
    for warning in answer.get("warnings", []):
        yield f"warning: {warning}"
    if not found and nothing:
        yield nothing
