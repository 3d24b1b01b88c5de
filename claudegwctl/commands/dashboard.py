"""claudegwctl dashboard"""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext, suppress
from typing import Annotated, Any

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import note, say, say_json

app = new_app()


@app.command(epilog="Example: claudegwctl dashboard --read-only")
def dashboard(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on 127.0.0.1; 0 picks a free one.")] = 0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, but allow no changes.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the link without opening a browser.")] = False,
    json: AsJson = False,
) -> None:
    """Show the gateway in a browser: requests, keys, workers, usage and log.

    The page is served by this command, on this machine only, until Ctrl-C. Its link works once."""
    from claudegwctl.dashboard.access import Access
    from claudegwctl.dashboard.answers import Answers
    from claudegwctl.dashboard.opening import has_display, in_browser
    from claudegwctl.dashboard.server import DashboardServer, listen

    daemon = daemon_of(ctx)
    daemon.get("/v1/status")  # fail at once if it is not running
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    with suppress(KeyboardInterrupt), listen(port) as listener:
        access = Access(listener.getsockname()[1])
        server = DashboardServer(access, Answers(daemon, read_only=read_only))
        if wants_json(ctx, json):
            say_json({"url": access.link, "read_only": read_only})
        else:
            say(access.link)
            note("this link works once, in one browser; Ctrl-C stops the dashboard")
        with in_browser(access.link) if not no_open and has_display(os.environ) else nullcontext():
            server.serve(listener)


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt
