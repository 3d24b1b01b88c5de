"""langchain-tests' standard suite for chat models, asked of ChatOpenAI in front of the gateway.

JUDGED_URL is the gateway's base URL, with /v1. What the suite must not be asked is said by its own properties below,
each with its reason; test_langchain.py knows which tests are skipped for it and fails if these become more or fewer.
"""

from __future__ import annotations

import base64
import os
import struct
import zlib
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from openai import BadRequestError

MODEL = "claude-sonnet-4-20250514"
THINKING_MODEL = "sonnet"
_PARAMS: dict[str, Any] = {
    "model": MODEL,
    "base_url": os.environ["JUDGED_URL"],
    "api_key": "sk-false-client",
    "stream_usage": True,  # ChatOpenAI asks for it by itself only where it knows the host
}


class TestUnit(ChatModelUnitTests):
    """What needs no answer: that the model is made, and that tools and schemas can be bound to it."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {name: value for name, value in _PARAMS.items() if name != "api_key"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        env = {"OPENAI_API_KEY": "sk-false-client", "OPENAI_API_BASE": os.environ["JUDGED_URL"]}
        return env, {"model": MODEL}, {"openai_api_key": "sk-false-client", "openai_api_base": os.environ["JUDGED_URL"]}

    @pytest.mark.xfail(reason="compares ChatOpenAI with a snapshot of LangChain's own repository; no request is made")
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestIntegration(ChatModelIntegrationTests):
    """What is answered."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return dict(_PARAMS)

    @property
    def model_override_value(self) -> str:
        return "claude-3-5-haiku-20241022"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[Any, Any]:
        """OpenAI's usage has no place for audio here, and none for what was written to the cache."""
        return {
            "invoke": ["reasoning_output", "cache_read_input"],
            "stream": ["reasoning_output", "cache_read_input"],
        }

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        model = ChatOpenAI(**{**_PARAMS, "model": THINKING_MODEL}, reasoning_effort="high")
        return _asked(model, "Think before you answer.", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return _asked(ChatOpenAI(**_PARAMS), "Read this from the cache.", stream=stream)


# The suite fetches its pictures and documents from other people's servers. These are its messages with our own.


def _png() -> str:
    """A white picture of 2x2 points, as base64."""
    rows = zlib.compress(b"\0\xff\xff\xff\xff\xff\xff" * 2)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    ).decode()


def _pdf() -> str:
    """A document of one empty page, as base64."""
    return base64.b64encode(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    ).decode()


_PICTURES = [
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_png()}"}},
    {"type": "image", "base64": _png(), "mime_type": "image/png"},
]
_DOCUMENTS = [
    {"type": "file", "base64": _pdf(), "mime_type": "application/pdf", "filename": "dummy.pdf"},
    {"type": "file", "file": {"filename": "test_file.pdf", "file_data": f"data:application/pdf;base64,{_pdf()}"}},
]


@pytest.mark.parametrize("part", _PICTURES + _DOCUMENTS, ids=["openai image", "image", "document", "openai file"])
def test_pictures_and_documents_are_taken(part: dict[str, Any]) -> None:
    message = HumanMessage([{"type": "text", "text": "Describe this."}, part])
    assert ChatOpenAI(**_PARAMS).invoke([message]).content == "Describe this."


@pytest.mark.parametrize("part", _PICTURES, ids=["openai image", "image"])
def test_pictures_are_taken_as_a_tools_result(part: dict[str, Any]) -> None:
    def random_image() -> str:
        """Return a random image."""
        return ""

    messages = [
        HumanMessage("get a random diagram using the tool and give it a concise description"),
        AIMessage([], tool_calls=[{"type": "tool_call", "id": "1", "name": "random_image", "args": {}}]),
        ToolMessage(content=[part], tool_call_id="1", name="random_image"),
    ]
    answer = ChatOpenAI(**_PARAMS).bind_tools([random_image]).invoke(messages)
    assert answer.content == "The result is image."


def test_audio_is_refused_by_name() -> None:
    message = HumanMessage([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])
    with pytest.raises(BadRequestError) as refused:
        ChatOpenAI(**_PARAMS).invoke([message])
    assert refused.value.param == "messages[0].content[0].type"


def _asked(model: ChatOpenAI, question: str, *, stream: bool) -> AIMessage:
    if not stream:
        return model.invoke(question)
    chunks = list(model.stream(question))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole
