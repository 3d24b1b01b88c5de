"""A stream's events put together are the message that the upstream would have given in one piece."""

import json
from typing import Any

import pytest

from claudegwd.demo.script import Block, ScriptedReply, ScriptedUsage, Text, Thinking, ToolUse
from claudegwd.demo.wire import stream_frames, whole_message
from claudegwd.messages_api.assemble import message_body


def events(reply: ScriptedReply) -> list[bytes]:
    frames = stream_frames(reply, model="claude-x", message_id="msg_1")
    return [frame.partition(b"data: ")[2].strip() for frame in frames if isinstance(frame, bytes)]


@pytest.mark.parametrize(
    "reply",
    [
        ScriptedReply((Text(("a", "b", "é😀")),), usage=ScriptedUsage(3, 4, 5, 6)),
        ScriptedReply(
            (Thinking(("so ", "then")), Text(("x",)), ToolUse("t", "f", {"a": [1, {"b": None}]}, 4)), "tool_use"
        ),
        ScriptedReply((ToolUse("t", "f", {}),), "tool_use"),
        ScriptedReply((Text(("x",)),), "stop_sequence", "END"),
        ScriptedReply((), "end_turn"),
    ],
)
def test_it_is_the_message_in_one_piece(reply: ScriptedReply) -> None:
    whole = whole_message(reply, model="claude-x", message_id="msg_1")
    assert json.loads(message_body(events(reply))) == json.loads(whole)


@pytest.mark.parametrize("nothing", [0, None])
def test_counts_of_the_prompt_are_not_undone_at_the_end(nothing: int | None) -> None:
    begin, *_, end, _ = [json.loads(one) for one in events(ScriptedReply(usage=ScriptedUsage(3, 0, 5, 6)))]
    end["usage"].update(input_tokens=nothing, cache_read_input_tokens=nothing, cache_creation_input_tokens=nothing)
    usage = json.loads(message_body([json.dumps(one).encode() for one in (begin, end)]))["usage"]
    assert usage == {**begin["message"]["usage"], "output_tokens": 0}
    begin["message"]["usage"] = None
    assert json.loads(message_body([json.dumps(one).encode() for one in (begin, end)]))["usage"] == end["usage"]


def assembled(*blocks: Block) -> Any:
    return json.loads(message_body(events(ScriptedReply(blocks))))["content"]


def test_citations_are_gathered() -> None:
    one, two = ({"type": "citations_delta", "citation": {"url": name}} for name in "ab")
    (block,) = assembled(Block({"type": "text", "text": ""}, (one, {"type": "text_delta", "text": "x"}, two)))
    assert block == {"type": "text", "text": "x", "citations": [{"url": "a"}, {"url": "b"}]}


def test_kinds_that_nobody_knows_yet_keep_what_they_say() -> None:
    deltas = ({"type": "new_delta", "content": "b"}, {"type": "new_delta", "content": "c", "more": 1})
    (block,) = assembled(Block({"type": "new", "content": "a"}, deltas))
    assert block == {"type": "new", "content": "abc", "more": 1}


def test_arguments_that_were_cut_off_and_halves_of_characters() -> None:
    cut = {"type": "input_json_delta", "partial_json": '{"a": '}
    (block,) = assembled(Block({"type": "tool_use", "id": "t", "name": "f", "input": {}}, (cut,)))
    assert block["input"] == {}
    raw = [one.replace(b'"x"', b'"\\ud83d"') for one in events(ScriptedReply((Text(("x",)),)))]
    assert json.loads(message_body(raw))["content"][0]["text"] == "\ud83d"


def test_what_has_not_begun_is_no_message() -> None:
    with pytest.raises(ValueError, match="not begun"):
        message_body([])
