from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.small_gateway import SmallGateway, running, short_directory


@pytest.fixture
def gateway() -> Iterator[SmallGateway]:
    with short_directory() as directory:
        yield SmallGateway(directory)


@pytest.fixture
async def socket(gateway: SmallGateway) -> AsyncIterator[Path]:
    """The control socket of a gateway that runs in the test's own loop."""
    async with running(gateway) as path:
        yield path


@pytest.fixture
def nowhere() -> Iterator[Path]:
    """A socket's path where nobody answers."""
    with short_directory() as directory:
        yield directory / "control.sock"
