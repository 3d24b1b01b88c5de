"""langchain-tests' standard suite for chat models, asked of ChatAnthropic in front of the gateway.

JUDGED_URL is the gateway's base URL, with /v1. What is not asked is said by properties, each with its reason;
test_anthropic_clients.py knows which tests are skipped.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

MODEL = "claude-sonnet-4-20250514"
_PARAMS: dict[str, Any] = {
    "model": MODEL,
    "base_url": os.environ["JUDGED_URL"].removesuffix("/v1"),
    "api_key": "sk-false-client",
    "max_tokens": 1000,
    "max_retries": 0,
}


class TestIntegration(ChatModelIntegrationTests):
    """What is answered."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return dict(_PARAMS)

    @property
    def model_override_value(self) -> str:
        return "claude-3-5-haiku-20241022"

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return False  # fetched from other people's servers


def test_thinking_comes_back_with_its_signature() -> None:
    model = ChatAnthropic(**{**_PARAMS, "max_tokens": 3000}, thinking={"type": "enabled", "budget_tokens": 2000})
    answer = model.invoke("Think before you answer.")
    [thought, said] = answer.content
    assert (thought["type"], said["type"]) == ("thinking", "text")
    assert thought["signature"]
    assert model.invoke(["Think.", answer, "And again."]).content[-1]["text"] == "And again."


def test_tokens_are_counted() -> None:
    assert ChatAnthropic(**_PARAMS).get_num_tokens_from_messages([HumanMessage("x" * 400)]) == pytest.approx(
        100, abs=10
    )
