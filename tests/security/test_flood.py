"""A flood ends in answers and orderly refusals."""

from __future__ import annotations

from tests.fuzz.served import served, unforeseen
from tests.security.flood import CONFIG, CONNECTIONS, LIMITS, flood, keys_of


async def test_a_flood_gets_answers_and_orderly_refusals_only() -> None:
    with served(CONFIG, LIMITS) as daemon:
        found = await flood(daemon, 2.0, keys_of(daemon))
        assert set(found.seen) <= {200, 429, 503}
        assert {200, 429, 503} <= set(found.seen), found.seen
        assert found.seen.total() >= CONNECTIONS
        assert found.without_word == 0
        assert found.looks
        assert unforeseen(daemon) == []
