"""claudegwctl uninstall"""

from __future__ import annotations

import typer

from claudegwctl.commands.install import Dry, OfSystem, OfUser, told
from claudegwctl.options import AsJson, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import Problem

app = new_app()


@app.command(epilog="Example: claudegwctl uninstall --dry-run")
def uninstall(
    ctx: typer.Context, user: OfUser = False, system: OfSystem = False, dry_run: Dry = False, json: AsJson = False
) -> None:
    """Remove the service that `claudegwctl install` set up.

    The service is stopped and its files are removed. Configuration, keys, state and the service's user are kept.
    """
    from claudegwctl.service.host import this_host
    from claudegwctl.service.plan import go_through, obstacle, uninstall_steps, wants_system

    host = this_host()
    of_system = wants_system(host, user=user, system=system)
    obstacle_here = obstacle(host, system=of_system, installing=False)
    if obstacle_here and not dry_run:
        raise Problem(obstacle_here)
    as_json = wants_json(ctx, json)
    taken = told(go_through(uninstall_steps(host, system=of_system), dry=dry_run), quiet=as_json, also_done=False)
    if as_json:
        say_json({"system": of_system, "dry_run": dry_run, "steps": [each.as_dict() for each in taken]})
    elif all(each.outcome == "in place" for each in taken):
        say("nothing to do: there is no service that `claudegwctl install` set up")
    elif not dry_run:
        say("\nConfiguration, keys and state were left in place: docs/operations.md lists where they are.")
    if obstacle_here:
        raise Problem(obstacle_here)  # as a real run would be refused
