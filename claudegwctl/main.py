"""The control CLI: all its commands, to be read aloud.

It starts in under 150 ms, most of which is Python and typer: only the module of the command that is asked for is
imported, and whatever is slow to import only where it is needed.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from claudegwctl.options import HELP_NAMES, Options
from claudegwctl.output import note, say
from claudegwctl.problems import Problem
from claudegwd.contract import EXIT_FAILED, ensure_home

# Each is a module of claudegwctl.commands with its `app`; in the order of the help.
COMMANDS: Final = (
    "status",
    "top",
    "dashboard",
    "rotate",
    "reload",
    "drain",
    "undrain",
    "logs",
    "keys",
    "clients",
    "usage",
    "audit",
    "workspaces",
    "approvals",
    "approve",
    "deny",
    "notify",
    "workers",
    "models",
    "chat",
    "connect",
    "config",
    "doctor",
    "env",
    "cli",
    "login",
    "start",
    "stop",
    "restart",
    "install",
    "uninstall",
    "backup",
    "restore",
    "version",
)


class Commands(TyperGroup):
    """Finds a command's module when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group is the same for all
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = import_module(f"claudegwctl.commands.{cmd_name}")
            command = typer.main.get_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            # The nearest name is looked for among those that are loaded.
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog="Example: claudegwctl status",
    context_settings=HELP_NAMES,
)


def _version(wanted: bool) -> None:
    if wanted:
        from claudegwctl.commands.version import own_version

        say(f"claudegwctl {own_version()}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    socket: Annotated[
        str | None, typer.Option("--socket", metavar="PATH", help="The control socket, if not at its usual place.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Control a running claudegwd over its Unix socket."""
    ctx.obj = Options(socket, json)


def main() -> None:
    """The program `claudegwctl`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may have letters that the terminal does not know
    ensure_home()
    try:
        app(prog_name="claudegwctl")
    except OSError as error:
        note(f"cannot write the output: {error.strerror or 'refused'}; look where it goes")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still held back would fail once more at the end
        sys.exit(EXIT_FAILED)
    except Problem as problem:
        note(str(problem))
        sys.exit(problem.exit_code)
