"""claudegwctl doctor"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, socket_path, wants_json
from claudegwctl.output import coloured, hanging, say, say_json

if TYPE_CHECKING:
    from claudegwctl.checks.finding import Finding

app = new_app()

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


@app.command(epilog="Example: claudegwctl doctor")
def doctor(
    ctx: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Also run the Claude Code CLI, which takes about 30 s.")] = False,
    json: AsJson = False,
) -> None:
    """Look for problems and say how to fix them.

    It also works while the daemon is not running.
    It checks the daemon, its configuration, the Claude Code CLI, keys or login, the connection to the upstreams,
    ports, file modes and the service.
    Exit status 1 if there is a problem.
    """
    as_json = wants_json(ctx, json)
    found: list[Finding] = []
    for finding in _findings(ctx, deep=deep):
        found.append(finding)
        if not as_json:
            _show(finding)
    problems = sum(finding.level == "problem" for finding in found)
    if as_json:
        say_json({"problems": problems, "findings": [finding.as_dict() for finding in found]})
    else:
        say("no problems" if not problems else f"{problems} problem{'s' if problems > 1 else ''}")
    if problems:
        raise typer.Exit(1)


def _findings(ctx: typer.Context, *, deep: bool) -> Iterator[Finding]:
    from claudegwctl.checks import cli, credentials, daemon, files, ports, service, upstreams
    from claudegwctl.checks.finding import Scene, read_settings
    from claudegwd.contract import config_path, places_of

    env = places_of(os.environ, os.geteuid())
    config_file, _ = config_path(env)
    scene = Scene(env, socket_path(ctx), config_file, settings=read_settings(config_file, env))
    yield from daemon.check(scene, daemon_of(ctx))
    for check in (cli.check, credentials.check, upstreams.check, ports.check, files.check, service.check):
        yield from check(scene)
    if deep and (binary := cli.find(scene)) is not None:
        yield from cli.tried(binary)


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    say(f"{coloured(f'{mark:<8}', colour)}{finding.about:<13} {hanging(finding.says, 22)}")
    if finding.mend:
        say(f"{'':<22}{coloured('fix:', 'bold')} {hanging(finding.mend, 27)}")
