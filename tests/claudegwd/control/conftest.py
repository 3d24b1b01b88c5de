from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.small_gateway import SmallGateway, client_of, running, short_directory


@pytest.fixture
def gateway() -> Iterator[SmallGateway]:
    with short_directory() as directory:
        yield SmallGateway(directory)


@pytest.fixture
async def client(gateway: SmallGateway) -> AsyncIterator[httpx.AsyncClient]:
    """Over a real socket through the real server."""
    async with running(gateway) as path, client_of(path) as made:
        yield made
