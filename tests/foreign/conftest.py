"""One gateway for the judges of a module; every test starts with the small model behind it.

A module may say by CONFIG, a text of TOML, how its daemon is set.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.foreign.judged import Judged, judged
from tests.foreign.small_model import small_model


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Judged]:
    with judged(getattr(request.module, "CONFIG", "")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Judged) -> Iterator[Judged]:
    """The module's gateway, its upstream the small model until the test gives it another script."""
    running.endpoint.script = small_model
    before = len(running.daemon.log())
    yield running
    sys.stderr.write(running.daemon.log()[before:])  # pytest shows it where the test has failed
