"""Messages and their blocks: what is taken as it came, and what is refused by its path."""

from typing import Any

import pytest

from claudegwd.messages_api.content import blocks_of, check_content, check_messages, text_of
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


def checked(*content: Any) -> Any:
    body = {"messages": [{"role": "user", "content": list(content)}]}
    return check_messages(Fields(body), Bounds())[0]["content"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        IMAGE,
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "t"},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, IMAGE]},
        {"type": "tool_result", "tool_use_id": "t"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "search_result", "source": "https://a.example", "title": "t", "content": []},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "of_next_year", "anything": [1]},
    ],
)
def test_blocks_that_are_taken_as_they_came(block: dict[str, Any]) -> None:
    assert checked(block) == [block]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ("a", "messages[0].content[0]"),
        ({}, "messages[0].content[0].type"),
        ({"type": "text", "text": ""}, "messages[0].content[0].text"),
        ({"type": "image"}, "messages[0].content[0].source"),
        ({"type": "image", "source": {"type": "base64"}}, "messages[0].content[0].source.media_type"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "messages[0].content[0].source"),
        ({"type": "container_upload", "file_id": "f"}, "messages[0].content[0]"),
        ({"type": "tool_use", "id": "t", "name": "f"}, "messages[0].content[0].input"),
        ({"type": "tool_result"}, "messages[0].content[0].tool_use_id"),
        ({"type": "tool_result", "tool_use_id": "t", "content": [1]}, "messages[0].content[0].content[0]"),
        ({"type": "thinking", "thinking": "a"}, "messages[0].content[0].signature"),
        ({"type": "image_url", "image_url": {}}, "messages[0].content[0].type"),
    ],
)
def test_blocks_that_are_refused_by_their_path(block: Any, path: str) -> None:
    with pytest.raises(CallerError) as raised:
        checked(block)
    assert raised.value.param == path


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"content": "a"}, "messages[0].role"),
        ({"role": "tool", "content": "a"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "assistant", "content": "", "tool_calls": []}, "messages[0]"),
    ],
)
def test_messages_that_are_refused_by_their_path(message: Any, path: str) -> None:
    with pytest.raises(CallerError) as raised:
        check_messages(Fields({"messages": [message]}), Bounds())
    assert raised.value.param == path


def test_content_may_be_left_out_only_where_it_may() -> None:
    check_content(Fields({}), "system", Bounds())
    with pytest.raises(CallerError):
        check_content(Fields({"system": 5}), "system", Bounds())


def test_both_ways_to_write_content() -> None:
    assert blocks_of("a") == [{"type": "text", "text": "a"}]
    assert blocks_of(None) == blocks_of("") == []
    assert text_of([{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}]) == "a\n\nb"
