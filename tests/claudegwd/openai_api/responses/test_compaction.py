from typing import Any

import pytest

from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import ImagePart, Message, Role, TextPart, ToolCall
from claudegwd.openai_api.response_format import JsonObject
from claudegwd.openai_api.responses.compaction import (
    KEPT_CHARS,
    PART_CHARS,
    SUMMARISE,
    compacted,
    kept,
    read_threshold,
    summarising,
    summary_message,
)
from claudegwd.openai_api.tools import Tool


def text(role: Role, words: str) -> Message:
    return Message(role=role, content=(TextPart(words),))


LONG = "x" * (KEPT_CHARS - 1)
PICTURES = Message(role="user", content=(ImagePart("data:x"),) * (KEPT_CHARS // PART_CHARS))
CALL = Message(role="assistant", tool_calls=(ToolCall("c", "f"),))


@pytest.mark.parametrize(
    ("messages", "stay"),
    [
        ([], []),
        ([text("system", LONG), text("user", LONG), text("assistant", "a"), text("developer", LONG)], [1, 1, 0, 1]),
        ([text("user", "a"), CALL, Message(role="tool", tool_call_id="c")], [1, 0, 0]),
        ([text("user", "old"), text("user", "new"), text("user", LONG)], [0, 0, 1]),
        ([text("user", "o"), text("user", LONG)], [1, 1]),
        ([text("user", "a"), text("user", LONG * 3)], [0, 1]),
        ([text("user", "a"), PICTURES], [1, 1]),
        ([text("user", "a" * PART_CHARS), PICTURES], [0, 1]),
        ([text("user", "a"), summary_message("s"), text("user", "b")], [1, 0, 1]),
    ],
)
def test_what_stays(messages: list[Message], stay: list[int]) -> None:
    assert kept(messages) == [bool(one) for one in stay]


CHAT = ChatRequest(
    model="m",
    messages=(text("system", "rules"), text("user", "a"), text("assistant", "b"), text("user", "c")),
    tools=(Tool("f"),),
    tool_choice="required",
    response_format=JsonObject(),
    max_tokens=5,
)


def test_a_summary_is_asked_for_with_the_same_conversation_and_tools() -> None:
    asked = summarising(CHAT)
    assert asked.messages == (*CHAT.messages, text("user", SUMMARISE))
    assert (asked.tools, asked.tool_choice, asked.response_format, asked.max_tokens) == (CHAT.tools, "none", None, None)
    assert summarising(ChatRequest(model="m", messages=CHAT.messages)).tool_choice is None


def test_the_question_goes_on_from_the_summary() -> None:
    asked = compacted(CHAT, "s")
    assert asked.messages == (text("system", "rules"), text("user", "a"), text("user", "c"), summary_message("s"))
    assert (asked.response_format, asked.max_tokens) == (JsonObject(), 5)


@pytest.mark.parametrize(
    ("given", "threshold"),
    [
        (None, None),
        ([], None),
        ([{"type": "compaction"}], None),
        ([{"type": "compaction", "compact_threshold": 5000}, {"type": "compaction", "compact_threshold": 2000}], 2000),
    ],
)
def test_the_threshold(given: Any, threshold: int | None) -> None:
    assert read_threshold(Fields({"context_management": given})) == threshold


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "context_management"),
        ([{}], "context_management[0].type"),
        ([{"type": "forgetting"}], "context_management[0].type"),
        ([{"type": "compaction", "compact_threshold": 10}], "context_management[0].compact_threshold"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(given: Any, param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read_threshold(Fields({"context_management": given}))
    assert caught.value.param == param
