"""The control CLI: all its commands.

It starts in under 150 ms, most of which is Python and typer: only the module of the requested command is imported, and
slow imports are made only where they are needed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from claudegwctl.options import HELP_NAMES, Options
from claudegwctl.output import Unwritable, give_up_stdout, note, open_closed_streams, say
from claudegwctl.problems import Problem
from claudegwd.contract import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ensure_home

# Each is a module of claudegwctl.commands with an `app`, in the order of the help.
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


# click's ClickException, the base of all command-line errors. Found like this because typer bundles click since 0.26.
_CommandLineError: Any = typer.BadParameter.__mro__[2]
# What click adds if an option is unknown.
_SIMILAR: Final = re.compile(r" \(Possible options: ([^)]*)\)")
# click's words, and plainer ones.
_PLAINER: Final = {
    "No such": "no such", "Missing": "missing", "Invalid value": "invalid value", "Got unexpected": "unexpected",
    "a valid int range": "a whole number", "a valid float range": "a number",
}  # fmt: skip


class Commands(TyperGroup):
    """Imports a command's module only when it is needed."""

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
            # Similar names are suggested only among the loaded commands.
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
        str | None, typer.Option("--socket", metavar="PATH", help="The control socket, if not at its default path.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Control a running claudegwd over its Unix socket."""
    ctx.obj = Options(socket, json)


def main() -> None:
    """The program `claudegwctl`."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may have characters that the terminal cannot encode
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as for arguments; encoding it again raises, see `run`
    ensure_home()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return the exit status. Every failure is one line on stderr."""
    try:
        left = app(list(arguments), prog_name="claudegwctl", standalone_mode=False)
    except Unwritable as unwritable:
        give_up_stdout()
        if not unwritable.nobody_reads:
            note(str(unwritable))
        return EXIT_FAILED
    except Problem as problem:
        note(str(problem))
        return problem.exit_code
    except _CommandLineError as error:
        return _misused(error)
    except UnicodeEncodeError:
        note("cannot run this: an argument, a variable or the input is not in UTF-8; write it in UTF-8")
        return EXIT_USAGE
    except typer.Abort:
        note("cannot continue: end of input")
        return EXIT_FAILED
    except FileNotFoundError as error:
        if error.filename:
            note(f"cannot use {error.filename}: {error.strerror}; check it")
        else:  # only the current directory has no name
            note("cannot find the current directory: it was removed; change to another one")
        return EXIT_FAILED
    except OSError as error:
        where = f"use {error.filename}" if error.filename else "write the output"
        note(f"cannot {where}: {error.strerror or 'refused'}; check {'it' if error.filename else 'where it goes'}")
        give_up_stdout()
        return EXIT_FAILED
    return left if isinstance(left, int) else EXIT_OK


def _misused(error: Any) -> int:
    """Report a command line that cannot be understood."""
    name = error.ctx.command_path if getattr(error, "ctx", None) else "claudegwctl"
    if type(error).__name__ == "NoArgsIsHelpError":
        note(error.ctx.get_help())
        return EXIT_USAGE
    said = error.format_message().rstrip(".").replace(". Did you mean", "; did you mean")
    said = _SIMILAR.sub(r"; did you mean \1?", said)
    for words, plainer in _PLAINER.items():
        said = said.replace(words, plainer)
    note(f"cannot run `{name}`: {' '.join(said.split())} (`{name} --help` shows how)")
    return EXIT_USAGE
