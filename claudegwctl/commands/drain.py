"""claudegwctl drain"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer

from claudegwctl.client import Daemon
from claudegwctl.options import AsJson, daemon_of, finite, new_app, wants_json
from claudegwctl.output import say, say_json
from claudegwctl.problems import Problem

app = new_app()

LOOK_SECONDS: Final = 0.5  # between two polls of the requests under way
DAY_SECONDS: Final = 86_400.0  # no answer takes longer: limits.request_seconds is at most that


@app.command(epilog="Example: claudegwctl drain --wait 600 && sudo systemctl restart claudegwd")
def drain(
    ctx: typer.Context,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            max=DAY_SECONDS,
            callback=finite,
            metavar="SECONDS",
            help="Wait up to this long for running requests to finish.",
        ),
    ] = 0.0,
    json: AsJson = False,
) -> None:
    """Tell load balancers to send no new requests here. Any that arrive are still served.

    /readyz answers 503 until `claudegwctl undrain` or a restart. With --wait the exit status is 1 if requests are
    still running when the time is up."""
    daemon = daemon_of(ctx)
    done = daemon.ask("POST", "/v1/drain")
    if wait:
        done["requests"] = _wait(daemon, wait)
    if wants_json(ctx, json):
        say_json(done)
    else:
        say(_told(done))
    if wait and done["requests"]:
        raise Problem(
            f"cannot wait any longer: {_under_way(done['requests'])}; run it again, or stop the daemon anyway"
        )


def _wait(daemon: Daemon, seconds: float) -> int:
    """Wait until no request is under way, or the time is up. Returns how many still are."""
    end = time.monotonic() + seconds
    while (count := len(daemon.get("/v1/requests")["requests"])) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    return count


def _told(done: dict[str, Any]) -> str:
    word = "draining" if done["changed"] else "already draining"
    return f"{word}: {_under_way(done['requests'])}; `claudegwctl undrain` ends it"


def _under_way(count: int) -> str:
    return f"{count or 'no'} request{'' if count == 1 else 's'} {'is' if count == 1 else 'are'} under way"
