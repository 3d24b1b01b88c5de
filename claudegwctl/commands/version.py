"""claudegwctl version"""

from __future__ import annotations

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import Problem

app = new_app()


@app.command(epilog="Example: claudegwctl version --json")
def version(ctx: typer.Context, json: AsJson = False) -> None:
    """Show the versions of all parts.

    This program, the running daemon, and its Claude Code CLI."""
    answer: dict[str, str | None] = {"claudegwctl": own_version(), "claudegwd": None, "claude": None}
    try:
        status = daemon_of(ctx).get("/v1/status")
        answer |= {"claudegwd": status.get("version"), "claude": status.get("claude_version")}
        problem = ""
    except Problem as error:
        problem = str(error)
    if wants_json(ctx, json):
        say_json(answer)
        return
    say(f"claudegwctl {answer['claudegwctl']}")
    if problem:
        say(f"claudegwd   unknown: {problem}")
    else:
        say(f"claudegwd   {answer['claudegwd']}")
        say(f"claude      {answer['claude'] or 'not known yet'}")


def own_version() -> str:
    """The version of the installed package."""
    from importlib import metadata

    try:
        return metadata.version("claudegwd")
    except metadata.PackageNotFoundError:
        return "0+unknown"
