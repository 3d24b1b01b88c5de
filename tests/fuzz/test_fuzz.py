"""A short run of each fuzzer; an hour of them is `python -m tests.fuzz.api --minutes 60` and its neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.daemon_process import Daemon
from tests.fuzz import api, codecs, requests
from tests.fuzz.served import served, unforeseen

SECONDS = 4.0


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with served() as started:
        yield started


def test_both_protocols_with_what_nobody_would_send() -> None:
    assert codecs.fuzz(time.monotonic() + SECONDS)


def test_whole_requests_byte_for_byte(daemon: Daemon) -> None:
    assert requests.fuzz(daemon, time.monotonic() + SECONDS)
    assert unforeseen(daemon) == []


def test_requests_made_from_our_own_description(daemon: Daemon) -> None:
    assert api.fuzz(daemon, time.monotonic() + 2 * SECONDS)
    assert unforeseen(daemon) == []
