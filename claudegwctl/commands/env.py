"""claudegwctl env"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import say, say_json

app = new_app()


class ShellName(StrEnum):
    """Shells whose syntax differs."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(epilog='Example: eval "$(claudegwctl env)"')
def env(
    ctx: typer.Context,
    shell: Annotated[
        ShellName | None, typer.Option(help="The shell to print for; by default yours, from $SHELL.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Print lines that give a shell the current key.

    For eval; they name a file and contain no token. Requires keys.shell_files in the configuration."""
    wanted = shell.value if shell else usual_shell(os.environ.get("SHELL", ""))
    found = daemon_of(ctx).get("/v1/env", {"shell": wanted})
    if wants_json(ctx, json):
        say_json(found)
    else:
        say(found["lines"].rstrip("\n"))


def usual_shell(path: str) -> str:
    """The shell in $SHELL if it is one of these, else bash: other Bourne shells understand its lines."""
    name = PurePath(path).name
    return name if name in {each.value for each in ShellName} else ShellName.BASH.value
