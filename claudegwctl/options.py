"""What all commands share: the global options, and where the daemon is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.models import CommandFunctionType

from claudegwctl.client import COMPLETION_SECONDS, Daemon
from claudegwctl.problems import Problem
from claudegwd.contract import client_socket_path

# `claudegwctl --json status` and `claudegwctl status --json` are the same.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def finite(seconds: float) -> float:
    """Refuse "nan" and "inf", which Python accepts as numbers."""
    if not isfinite(seconds):
        raise typer.BadParameter("give a number of seconds")
    return seconds


Interval = Annotated[float, typer.Option(min=0.1, max=3600, callback=finite, help="Seconds between refreshes.")]

HELP_NAMES: Final = {"help_option_names": ["-h", "--help"]}


# What people type out of habit. Not in the help, where one name for one thing is enough.
ALIASES: Final = {"ls": "list", "rm": "remove"}


class Subcommands(TyperGroup):
    """The subcommands of one command, also by their aliases."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


class Command(TyperCommand):
    """Shows an argument as NAME, or [NAME] if it may be omitted: typer's {name} looks like a choice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if isinstance(param, TyperArgument) and param.metavar is None:
                param.metavar = (param.name or "").upper() + ("..." if param.nargs != 1 else "")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class App(typer.Typer):
    """An app whose commands are of our class."""

    def command(self, *args: Any, **kwargs: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        return super().command(*args, **{"cls": Command, **kwargs})


def new_app(help_text: str | None = None, example: str | None = None) -> typer.Typer:
    """The typer app of one command module. `help_text` and `example` are for one with subcommands."""
    return App(
        cls=Subcommands,
        help=help_text,
        epilog=example and f"Example: {example}",
        # rich alone takes longer to import than everything else, and a traceback should look like one.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=help_text is not None,
        add_completion=False,
        context_settings=HELP_NAMES,
    )


@dataclass
class Options:
    """The options before the command."""

    socket: str | None = None
    json: bool = False


def options_of(ctx: typer.Context) -> Options:
    found = ctx.find_object(Options)
    return found if found is not None else Options()


def wants_json(ctx: typer.Context, here: bool) -> bool:
    return here or options_of(ctx).json


def daemon_of(ctx: typer.Context) -> Daemon:
    return Daemon(client_socket_path(os.environ, options_of(ctx).socket))


def names_of_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: from the daemon, or nothing if it does not answer."""
    return _names(ctx, "/v1/keys", "keys", incomplete)


def names_of_clients(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, "/v1/clients", "clients", incomplete)


def names_of_workspaces(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, "/v1/workspaces", "workspaces", incomplete)


def _names(ctx: typer.Context, path: str, field: str, incomplete: str) -> list[str]:
    try:
        rows = daemon_of(ctx).ask("GET", path, seconds=COMPLETION_SECONDS)[field]
    except (Problem, KeyError, OSError):
        return []
    return [row["name"] for row in rows if row["name"].startswith(incomplete)]


def socket_path(ctx: typer.Context) -> Path:
    return daemon_of(ctx).path
