"""claudegwctl install"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from claudegwctl.options import AsJson, new_app, wants_json
from claudegwctl.output import coloured, say, say_json
from claudegwctl.problems import Problem

if TYPE_CHECKING:
    from claudegwctl.service.host import Host
    from claudegwctl.service.plan import Taken

app = new_app()

OfUser = Annotated[bool, typer.Option("--user", help="For this user. The default unless root.")]
OfSystem = Annotated[bool, typer.Option("--system", help="For the whole machine. The default for root.")]
Dry = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would be done, or why it cannot be."),
]


@app.command(epilog="Example: claudegwctl install --dry-run")
def install(
    ctx: typer.Context, user: OfUser = False, system: OfSystem = False, dry_run: Dry = False, json: AsJson = False
) -> None:
    """Install claudegwd as a service that starts now and after each reboot.

    Under systemd or launchd. Each step is printed with how to undo it; whatever is already in place is left as it is,
    so you can run it again, for instance after an upgrade. `claudegwctl uninstall` undoes it.
    """
    from claudegwctl.service.host import this_host
    from claudegwctl.service.plan import go_through, install_steps, obstacle, wants_system

    host = this_host()
    of_system = wants_system(host, user=user, system=system)
    obstacle_here = obstacle(host, system=of_system, installing=True)
    if obstacle_here and not dry_run:
        raise Problem(obstacle_here)
    host.require_programs()
    as_json = wants_json(ctx, json)
    taken = told(go_through(install_steps(host, system=of_system), dry=dry_run), quiet=as_json)
    if as_json:
        say_json({"system": of_system, "dry_run": dry_run, "steps": [each.as_dict() for each in taken]})
    elif not dry_run:
        say()
        for line in next_things(host, system=of_system):
            say(line)
    if obstacle_here:
        raise Problem(obstacle_here)  # as a real run would be refused


def told(steps: Iterable[Taken], *, quiet: bool, also_done: bool = True) -> list[Taken]:
    """Go through the steps and print each when it is done; `also_done`: those too that needed nothing."""
    taken = []
    for each in steps:
        taken.append(each)
        if quiet or (each.outcome == "in place" and not also_done):
            continue
        colour = "dim" if each.outcome == "in place" else "green"
        say(f"{coloured(f'{each.outcome:<10}', colour)}{each.step.does}")
        if each.outcome != "in place":
            say(f"{'':<10}{coloured(f'undo: {each.step.undo}', 'dim')}")
    return taken


def next_things(host: Host, *, system: bool) -> Iterator[str]:
    """What to do next."""
    who = "sudo " if system else ""
    yield f"Add a key, unless it has one:     {who}claudegwctl keys add NAME"
    yield f"Check that everything works:      {who}claudegwctl doctor"
    if host.manager == "systemd":
        if system:
            yield "Let a user run claudegwctl:       sudo usermod -aG claudegwd NAME, and have them log in again"
        else:
            yield f"Keep it running after logout:     sudo loginctl enable-linger {host.user}"
