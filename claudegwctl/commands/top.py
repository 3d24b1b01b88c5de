"""claudegwctl top"""

from __future__ import annotations

import sys

import typer

from claudegwctl.options import AsJson, Interval, daemon_of, new_app, wants_json
from claudegwctl.output import has_cursor_control, say_json
from claudegwctl.problems import Problem

app = new_app()


@app.command(epilog="Example: claudegwctl top --interval 2")
def top(
    ctx: typer.Context,
    interval: Interval = 1.0,
    json: AsJson = False,
) -> None:
    """Watch the gateway in full screen: requests, workers, keys, limits, usage.

    It shows which client is being answered, how fast, and by which model, worker and key; ? lists the shortcuts to
    sort, filter, pause, rotate, and disable an upstream key. --json prints the current view once.
    """
    from claudegwctl.watching.reading import look

    daemon = daemon_of(ctx)
    if wants_json(ctx, json):
        say_json(look(daemon).as_json())
        return
    _check_terminal()
    first = look(daemon)  # fail at once if it is not running

    from claudegwctl.watching.app import Top

    Top(daemon, first, interval).run(mouse=False)


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Problem(
            "cannot show a full-screen view: this is not a terminal; use `claudegwctl top --json`, or `claudegwctl "
            "status --watch`"
        )
    if not has_cursor_control():
        raise Problem(
            "cannot show a full-screen view: this terminal has no cursor control; use `claudegwctl status --watch`"
        )
