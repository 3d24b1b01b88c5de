"""Judge: LiteLLM as a client, through which aider, OpenHands, mini-swe-agent and others call their models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.foreign.environment import run_suite
from tests.foreign.judged import Judged

pytestmark = pytest.mark.cli

CONFIG = """
"""


def test_litellm_reads_every_answer(gateway: Judged, tmp_path: Path) -> None:
    outcome = run_suite("litellm_suite", gateway, tmp_path)
    assert not outcome.failed, outcome.output
    assert not outcome.skipped, outcome.output
    assert outcome.passed
