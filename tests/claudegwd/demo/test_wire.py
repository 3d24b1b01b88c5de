from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from claudegwd.demo import wire
from claudegwd.demo.script import (
    Block,
    Drop,
    Event,
    Fail,
    Garbage,
    Pause,
    ScriptedReply,
    ScriptedUsage,
    Step,
    Text,
    Thinking,
    ToolUse,
    Wait,
    revoked,
)
from tests.claudegwd.demo.reading import events


def frames(*steps: Step, **more: Any) -> list[wire.Frame]:
    return list(wire.stream_frames(ScriptedReply(steps, **more), model="m-1", message_id="msg_1"))


def written(*steps: Step, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return events(b"".join(f for f in frames(*steps, **more) if isinstance(f, bytes)))


def test_every_event_is_a_frame_of_its_own_and_names_its_type() -> None:
    for frame in frames(Text(("a", "b")), Thinking(("c",)), ToolUse("t", "n", {})):
        assert isinstance(frame, bytes)
        ((name, data),) = events(frame)
        assert data["type"] == name


def test_blocks_are_numbered_and_holds_are_not() -> None:
    seen = written(Text(("a",)), Pause(1), Event("ping", {"type": "ping"}), Text(("b",)), Block({"type": "x"}))
    assert [d["index"] for n, d in seen if n == "content_block_start"] == [0, 1, 2]
    assert [d["index"] for n, d in seen if n == "content_block_stop"] == [0, 1, 2]
    assert "ping" in [n for n, _ in seen]


def test_a_gap_lies_between_two_parts_only() -> None:
    pauses = [f for f in frames(Text(("a", "b", "c"), gap=0.5)) if isinstance(f, Pause)]
    assert pauses == [Pause(0.5), Pause(0.5)]


def test_holds_and_garbage_pass_through_in_their_place() -> None:
    signal = trio.Event()
    assert frames(Wait(signal), Garbage(b"\x00"), Drop(), envelope=False) == [Wait(signal), b"\x00", Drop()]


@pytest.mark.parametrize("pieces", [0, 1, 3, 1000])
def test_the_pieces_of_a_tool_input_join_to_its_json(pieces: int) -> None:
    given = {"city": "Zürich", "n": 3}
    seen = written(ToolUse("toolu_1", "mcp__gw__weather", given, pieces), stop_reason="tool_use")
    deltas = [d["delta"]["partial_json"] for n, d in seen if n == "content_block_delta"]
    assert json.loads("".join(deltas)) == given
    assert "" not in deltas
    if pieces == 3:
        assert len(deltas) == 3
    start = next(d["content_block"] for n, d in seen if n == "content_block_start")
    assert start == {"type": "tool_use", "id": "toolu_1", "name": "mcp__gw__weather", "input": {}}


def test_thinking_ends_with_its_signature() -> None:
    deltas = [d["delta"] for n, d in written(Thinking(("hm",), "c2ln")) if n == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "c2ln"},
    ]


def test_usage_is_told_at_both_ends() -> None:
    seen = written(Text(("a",)), usage=ScriptedUsage(7, 9, cache_read=5, cache_creation=3, thinking_tokens=2))
    assert seen[0][1]["message"]["usage"]["cache_read_input_tokens"] == 5
    assert seen[-2][1]["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 5,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 2},
    }


def test_the_whole_message_says_the_same_as_the_stream() -> None:
    reply = ScriptedReply(
        (Thinking(("h", "m")), Text(("a", "b")), Pause(1), ToolUse("t", "n", {"x": 1}), Block({"type": "y"}))
    )
    whole = json.loads(wire.whole_message(reply, model="m-1", message_id="msg_1"))
    assert [b["type"] for b in whole["content"]] == ["thinking", "text", "tool_use", "y"]
    assert whole["content"][1]["text"] == "ab"
    assert whole["stop_reason"] == "end_turn"


def test_a_lone_surrogate_goes_back_as_it_came() -> None:
    assert b"\\ud83d" in b"".join(f for f in frames(Text(("\ud83d",))) if isinstance(f, bytes))


def test_error_bodies() -> None:
    assert json.loads(wire.error_body(revoked(), "req_1"))["error"]["type"] == "authentication_error"
    assert wire.error_body(Fail(502, "", "", body=b"<html>"), "req_1") == b"<html>"
