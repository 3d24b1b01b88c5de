"""Judges: libraries that speak Anthropic's API, and the official OpenAI client's newest ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.foreign.environment import run_suite
from tests.foreign.judged import Judged
from tests.foreign.node_environment import installed, passes

pytestmark = pytest.mark.cli

CONFIG = """
[workers]
parked_seconds = 2
"""

# Tests of langchain-tests that are not asked, each with its reason.
EXCEPTIONS = {
    # Fetched from other people's servers; pictures and documents as base64 are asked in tests/e2e/test_messages.py.
    "TestIntegration::test_image_inputs": "Model does not support image message.",
    "TestIntegration::test_image_tool_message": "Model does not support image tool message.",
    "TestIntegration::test_pdf_inputs": "Model does not support PDF inputs.",
    "TestIntegration::test_pdf_tool_message": "Model does not support PDF tool message.",
    # No Claude model listens.
    "TestIntegration::test_audio_inputs": "Model does not support audio inputs.",
    # Anthropic's API has schemas, and no mode of any JSON.
    "TestIntegration::test_json_mode": "Test requires json mode support.",
    # Compares the time of a replayed recording with the same of LangChain's own repository.
    "TestIntegration::test_stream_time": "VCR not set up.",
}


def test_langchains_own_suite_passes_by_its_anthropic_integration(gateway: Judged, tmp_path: Path) -> None:
    outcome = run_suite("langchain_anthropic_suite", gateway, tmp_path)
    assert not outcome.failed, outcome.output
    assert outcome.skipped == EXCEPTIONS
    assert sum(name.startswith("TestIntegration") for name in outcome.passed) >= 35


@pytest.mark.parametrize("suite", ["pydantic_ai_suite", "litellm_anthropic_suite", "openai_responses_suite"])
def test_libraries_read_every_answer(gateway: Judged, tmp_path: Path, suite: str) -> None:
    outcome = run_suite(suite, gateway, tmp_path)
    assert not outcome.failed, outcome.output
    assert not outcome.skipped, outcome.output
    assert outcome.passed


def test_clients_in_node_read_every_answer(gateway: Judged, request: pytest.FixtureRequest) -> None:
    """Anthropic's own, Vercel's AI SDK, and the OpenAI client's newest ways."""
    assert passes("node_anthropic", installed("node_anthropic", request.config), gateway) == 9
