"""The ledger against the upstream's own count, over random requests and a kill; `tests.bench.ledger` does many."""

from __future__ import annotations

import pytest
import trio

from tests.bench.ledger import compare

pytestmark = pytest.mark.cli

SECONDS = 240


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_says_what_upstream_counted_and_survives_kill_9(seed: int) -> None:
    with trio.fail_after(SECONDS):
        figures = await compare(requests=25, kills=1, seed=seed)
    assert figures.problems == []
    assert (figures.requests, figures.kills) == (25, 1)
    assert figures.tokens > 25_000
