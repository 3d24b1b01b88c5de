"""`claudegwd`: the daemon's command line."""

import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import trio
import typer

from claudegwd import contract
from claudegwd.config.environment import BIND_OPTION
from claudegwd.config.load import Loaded, load
from claudegwd.config.problems import ConfigError
from claudegwd.daemon.demo_places import BIND_VARIABLE, demo_places
from claudegwd.gateway.daemon_life import own_version
from claudegwd.keys.file import KeysError, load_keys
from claudegwd.logs import LogRing, setup
from claudegwd.openai_api.errors import CliError
from claudegwd.servers.overriding import LibraryError
from claudegwd.sockets.problems import SocketError
from claudegwd.store.database import StateError
from claudegwd.workers.cli.binary import NoCliError, find_binary
from claudegwd.workers.process.scratch import Scratch

app = typer.Typer(
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    _open_closed_streams()
    contract.ensure_home()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may contain characters that the locale cannot encode
    try:
        app(prog_name="claudegwd")
    except OSError as error:
        _say(OSError(f"cannot write the output: {error.strerror or 'refused'}; check where it goes"), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered would fail again at exit
        sys.exit(contract.EXIT_FAILED)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"claudegwd {own_version()}")
        raise typer.Exit


@app.command()
def claudegwd(
    config: Annotated[Path | None, typer.Option(help="Read this config.toml.", metavar="FILE")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check configuration, keys and CLI, then exit.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Answer from a scripted endpoint on this machine: no account, no network.")
    ] = False,
    bind: Annotated[
        list[str] | None,
        typer.Option(help="Listen here instead of on server.bind; may be repeated.", metavar="HOST:PORT"),
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Listen on this port of 127.0.0.1.")] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Serve the OpenAI API on a local port by driving the Claude Code CLI.

    Runs in the foreground and logs to stderr. SIGTERM stops it once running answers have finished; SIGHUP reloads it.
    Exit status: 0 stopped, 1 cannot start, 78 bad configuration. Example: claudegwd --demo
    """
    binds = [*(bind or []), *([] if port is None else [f"127.0.0.1:{port}"])]
    raise typer.Exit(_run(config, binds, check=check, demo=demo))


def _open_closed_streams() -> None:
    """Connect closed standard streams (`2>&-`) to /dev/null: otherwise the next socket would get their descriptor."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor: this one
            os.set_inheritable(null, True)  # noqa: FBT003 - positional only
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", closefd=False))


def _run(config: Path | None, binds: Sequence[str], *, check: bool, demo: bool) -> int:
    env = dict(os.environ)
    if binds:
        env[BIND_OPTION] = env[BIND_VARIABLE] = json.dumps(binds)
    with ExitStack() as stack:
        try:
            if demo:
                scratch = Scratch.make()
                stack.callback(scratch.remove)
                env |= demo_places(env, scratch.next())
            loaded = load(config, env)
            if not check:
                return _serve(loaded, config, env, demo=demo)
            report = _check(loaded, env)
        except Exception as error:
            fault = _only(error)
            if isinstance(fault, ConfigError | KeysError | NoCliError):
                return _say(fault, contract.EXIT_CONFIG)
            if isinstance(fault, sqlite3.Error):
                fault = StateError(f"cannot use the state file: {fault}; stop whatever holds it, or check its disk")
            if isinstance(fault, SocketError | CliError | StateError | LibraryError | OSError):
                return _say(fault, contract.EXIT_FAILED)
            raise
    for line in report:
        typer.echo(line)
    return contract.EXIT_OK


def _check(loaded: Loaded, env: dict[str, str]) -> list[str]:
    from claudegwd.gateway.offered_models import check_models
    from claudegwd.gateway.sharing import read_secrets
    from claudegwd.workers.cli.catalogue_probe import CATALOGUE, read_catalogue

    setting = loaded.config.keys.file
    keys = load_keys(contract.keys_path(env, loaded.path, setting), env, required=bool(setting))
    read_secrets(loaded, env)
    binary = find_binary(loaded.config.claude, env)
    # No CLI is started for a check.
    catalogue = read_catalogue(contract.state_directory(env) / CATALOGUE, binary)
    models = check_models(loaded, catalogue) if catalogue is not None else ()
    notes = [f"note: {note}" for note in (*loaded.warnings, *models, *keys.notes)]
    count = f"{len(keys.keys)} key{'' if len(keys.keys) == 1 else 's'}"
    return [
        *notes,
        (f"ok: {loaded.path}{'' if loaded.exists else ' (does not exist; defaults apply)'}, {count}, CLI {binary}"),
    ]


def _serve(loaded: Loaded, config: Path | None, env: dict[str, str], *, demo: bool) -> int:
    from claudegwd.daemon.daemon import DaemonOptions, run

    _raise_descriptor_limit()
    with LogRing() as logs:
        handler = setup(loaded.config.log, env, logs)
        try:
            trio.run(run, loaded, DaemonOptions(config, demo), handler, logs, env)
        except KeyboardInterrupt:
            return 130
        # A further signal while Python exits does not change the status 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    return contract.EXIT_OK


def _raise_descriptor_limit() -> None:
    """Each connection and worker takes descriptors; the soft limit of 1024 (256 on macOS) is for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _only(error: BaseException) -> BaseException:
    """What was raised, out of the groups that nurseries wrap it in."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _say(error: BaseException, status: int) -> int:
    sys.stderr.write(f"claudegwd: {error}\n")
    return status


if __name__ == "__main__":
    main()
