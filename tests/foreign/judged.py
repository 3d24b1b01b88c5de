"""The whole gateway for judges that are no trio programs: real daemon, real CLI, scripted endpoint in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.script import RecordedRequest
from tests.e2e.daemon_process import Daemon
from tests.foreign.small_model import small_model
from tests.plain_http import blocking_control_client

# Takes no thinking unless asked, so that the small model's answers are the whole of it.
MODEL = "claude-sonnet-4-20250514"
# What the clients are given as their key: the gateway asks for none on loopback.
CLIENT_KEY = "sk-false-client"
START_SECONDS = 10.0


@dataclass
class Judged:
    """A gateway that answers. `endpoint.script = …` changes what upstream says until the test ends."""

    daemon: Daemon
    endpoint: ScriptedEndpoint

    @property
    def base_url(self) -> str:
        """With /v1, as clients want it."""
        return f"http://127.0.0.1:{self.daemon.port}/v1"

    def clear_keys(self) -> None:
        """Take away what upstream's failures have left on the keys, as an operator does it: by a test of each."""
        self.endpoint.script = small_model
        with blocking_control_client(self.daemon.socket) as control:
            for key in control.get("/v1/status").json()["keys"]:
                control.post(f"/v1/keys/{key['name']}/test", json={}).raise_for_status()

    def upstream(self, since: int = 0) -> list[RecordedRequest]:
        """What upstream was sent, from its request number `since` (an earlier `endpoint.count`) on."""
        new = self.endpoint.count - since
        return list(self.endpoint.requests)[-new:] if new else []


@contextmanager
def judged(config: str = "") -> Iterator[Judged]:
    """Start it all, with this TOML; at the end the daemon must stop cleanly and leave nothing."""
    with serving(ScriptedEndpoint(small_model)) as endpoint:
        daemon = Daemon(endpoint.base_url, config=config)
        try:
            daemon.start()
            yield Judged(daemon, endpoint)
            daemon.stop()
        finally:
            daemon.remove()


@contextmanager
def serving(endpoint: ScriptedEndpoint) -> Iterator[ScriptedEndpoint]:
    """Serve the endpoint in a thread of its own; what a wrong script raised is raised at the end."""
    ready = threading.Event()
    scope = trio.CancelScope()
    failed: list[BaseException] = []
    token: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(endpoint.serve)
                token.append(trio.lowlevel.current_trio_token())
                ready.set()

    def run() -> None:
        try:
            trio.run(serve)
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread, which raises it
            failed.append(error)
        ready.set()

    thread = threading.Thread(target=run, name="scripted endpoint", daemon=True)
    thread.start()
    assert ready.wait(START_SECONDS), "the scripted endpoint does not start"
    try:
        yield endpoint
    finally:
        if thread.is_alive():
            token[0].run_sync_soon(scope.cancel)
        thread.join(START_SECONDS)
    if failed:
        raise failed[0]
