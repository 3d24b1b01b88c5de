"""Judge: the official Node client: its accumulator, its tool runner, its helpers for zod."""

from __future__ import annotations

import pytest

from tests.foreign.judged import Judged
from tests.foreign.node_environment import installed, passes

pytestmark = pytest.mark.cli

CONFIG = """
"""


def test_the_node_client_reads_every_answer(gateway: Judged, request: pytest.FixtureRequest) -> None:
    assert passes("node", installed("node", request.config), gateway) == 14
