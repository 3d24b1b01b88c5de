"""One daemon for the tests of a module, one endpoint for each test.

A module says how its daemon is started by SHARED, a dict of Daemon's arguments; without it the defaults hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.daemon_process import Daemon, free_port
from tests.e2e.harness import Running, with_upstream


@pytest.fixture(scope="module")
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A daemon whose upstream is not there yet: each test's endpoint takes the port."""
    started = Daemon(f"http://127.0.0.1:{free_port()}", **getattr(request.module, "SHARED", {}))
    try:
        started.start()
        yield started
        started.stop()
    finally:
        started.remove()


@pytest.fixture
async def gateway(daemon: Daemon) -> AsyncIterator[Running]:
    """The module's daemon with an endpoint that echoes until the test gives it another script."""
    async with with_upstream(daemon) as running:
        yield running
