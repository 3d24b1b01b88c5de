"""Each line that the CLI was seen to write, as the event that it becomes; and what is none."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.lines import LineDecoder

TAIL = {"session_id": "s", "parent_tool_use_id": None, "uuid": "u", "ttft_ms": 12}


def line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def part(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "stream_event", "event": value, **TAIL}


def delta(**values: Any) -> dict[str, Any]:
    return part({"type": "content_block_delta", "index": 1, "delta": values})


def start(**block: Any) -> dict[str, Any]:
    return part({"type": "content_block_start", "index": 0, "content_block": block})


def raw(text: bytes) -> msgspec.Raw:
    return msgspec.Raw(text)


USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 2},
    "output_tokens": 1,
    "service_tier": "standard",
    "server_tool_use": None,
}
HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "usage": USAGE}
COUNTS = e.RawUsage(input_tokens=10, output_tokens=1, cache_read_input_tokens=3, cache_creation_input_tokens=2)

KNOWN: list[tuple[dict[str, Any], e.AnyEvent]] = [
    (
        part({"type": "message_start", "message": HEAD}),
        e.StreamEvent(e.MessageStart(e.MessageHead("msg_1", "claude-x", COUNTS))),
    ),
    (part({"type": "message_start", "message": {"usage": None}}), e.StreamEvent(e.MessageStart(e.MessageHead()))),
    (start(type="text", text=""), e.StreamEvent(e.BlockStart(0, e.ContentBlock("text", text=raw(b'""'))))),
    (
        start(type="thinking", thinking="", signature=""),
        e.StreamEvent(e.BlockStart(0, e.ContentBlock("thinking", thinking=raw(b'""')))),
    ),
    (
        start(type="redacted_thinking", data="ZGF0YQ=="),
        e.StreamEvent(e.BlockStart(0, e.ContentBlock("redacted_thinking", data="ZGF0YQ=="))),
    ),
    (
        start(type="tool_use", id="toolu_1", name="read", input={}),
        e.StreamEvent(e.BlockStart(0, e.ContentBlock("tool_use", "toolu_1", "read", input=raw(b"{}")))),
    ),
    (
        start(type="server_tool_use", id="srv_1", name="web_search", input={"query": "x"}),
        e.StreamEvent(
            e.BlockStart(0, e.ContentBlock("server_tool_use", "srv_1", "web_search", input=raw(b'{"query":"x"}')))
        ),
    ),
    (delta(type="text_delta", text="a"), e.StreamEvent(e.BlockDelta(1, e.TextDelta(raw(b'"a"'))))),
    (delta(type="text_delta", text="é\n\0"), e.StreamEvent(e.BlockDelta(1, e.TextDelta(raw(rb'"\u00e9\n\u0000"'))))),
    (delta(type="text_delta", text="\ud83d"), e.StreamEvent(e.BlockDelta(1, e.TextDelta(raw(rb'"\ud83d"'))))),
    (delta(type="thinking_delta", thinking="h"), e.StreamEvent(e.BlockDelta(1, e.ThinkingDelta(raw(b'"h"'))))),
    (delta(type="signature_delta", signature="c2ln"), e.StreamEvent(e.BlockDelta(1, e.SignatureDelta("c2ln")))),
    (
        delta(type="input_json_delta", partial_json='{"a'),
        e.StreamEvent(e.BlockDelta(1, e.InputJsonDelta(raw(rb'"{\"a"')))),
    ),
    (part({"type": "content_block_stop", "index": 2}), e.StreamEvent(e.BlockStop(2))),
    (
        part({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}),
        e.StreamEvent(e.MessageDelta(e.StopDetails("end_turn"), COUNTS)),
    ),
    (
        part({"type": "message_delta", "delta": {"stop_reason": None}}),
        e.StreamEvent(e.MessageDelta(e.StopDetails(None))),
    ),
    (part({"type": "message_stop"}), e.StreamEvent(e.MessageStop())),
    (
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "\ud800"}]}, **TAIL},
        e.AssistantLine(message=e.Raw(b'{"content": [{"type": "text", "text": "?"}]}')),
    ),
    (
        {
            "type": "assistant",
            "message": {"model": "<synthetic>", "content": []},
            "is_api_error_message": True,
            "error": "rate_limit",
            "api_error_status": 429,
            "api_error_type": "rate_limit_error",
            "request_id": "req_1",
        },
        e.AssistantLine(
            is_api_error_message=True, error="rate_limit", api_error_status=429, api_error_type="rate_limit_error",
            message=e.Raw(b'{"model":"<synthetic>","content":[]}'),
        ),
    ),
    (
        {"usage": USAGE, "total_cost_usd": 0, "num_turns": 1, "subtype": "success", "type": "result"},
        e.Result("success", num_turns=1),
    ),
    (
        {"type": "result", "is_error": True, "terminal_reason": "api_error", "api_error_status": 401, "num_turns": 1},
        e.Result(is_error=True, num_turns=1, terminal_reason="api_error", api_error_status=401),
    ),
    ({"type": "system", "subtype": "init", "session_id": "s", "tools": []}, e.System("init", "s")),
    ({"type": "system", "subtype": "status", "status": "requesting"}, e.System("status", status="requesting")),
    (
        {
            "type": "control_response",
            "response": {"subtype": "success", "request_id": "gw1", "response": {"models": []}},
        },
        e.CliResponse(e.CliResponseBody("gw1", "success", response=raw(b'{"models":[]}'))),
    ),
    (
        {"type": "control_response", "response": {"subtype": "error", "request_id": "gw1", "error": "no"}},
        e.CliResponse(e.CliResponseBody("gw1", "error", "no")),
    ),
    (
        {
            "type": "control_request",
            "request_id": "r",
            "request": {"subtype": "mcp_message", "server_name": "gw", "message": {"method": "tools/list", "id": 1}},
        },
        e.CliRequest("r", e.CliRequestBody("mcp_message", {"method": "tools/list", "id": 1})),
    ),
    (
        {"type": "control_request", "request_id": "r", "request": {"subtype": "can_use_tool", "tool_name": "x"}},
        e.CliRequest("r", e.CliRequestBody("can_use_tool")),
    ),
    (
        {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_800_000_000}},
        e.RateLimit(e.RateLimitInfo("rejected", 1_800_000_000)),
    ),
]  # fmt: skip

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"type": "tool_progress", "elapsed": 30}, "tool_progress"),
    ({"type": "user", "message": {"role": "user", "content": []}}, "user"),
    (part({"type": "ping"}), "stream_event"),
    (part({"type": "error", "error": {"type": "overloaded_error"}}), "stream_event"),
    (delta(type="compaction_delta", content=""), "stream_event"),
    (start(type="web_search_tool_result", id=None, content=[]), "stream_event"),
    ({"type": "system", "subtype": ["new"]}, "system"),
    ({"type": "rate_limit_event", "rate_limit_info": None}, "rate_limit_event"),
    ({"type": "assistant", "is_api_error_message": "yes"}, "assistant"),
]

BROKEN: list[bytes] = [
    b"",
    b"not JSON",
    b'{"type":"result"',
    b'{"type":"result"}}',
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"type":7}',
    b'{"type":null}',
    b'{"type":"tool_progress","x":\xff}',
    b'{"type":"\xd4x"}',
    b'{"type":"new","event":{"type":"\xd4"}}',
    b"[" * 100_000,
    # Known lines without which a turn would wait for ever, and parts of an answer that would be lost.
    line({"type": "result", "num_turns": "one"}),
    line({"type": "control_response", "response": {}}),
    line({"type": "control_request", "request_id": "r", "request": None}),
    line(part({"type": "message_start", "message": None})),
    line(delta(type="text_delta")),
    line(delta(type="thinking_delta", text="x")),
    line(delta(type="signature_delta", signature=None)),
    line(delta(type="input_json_delta")),
    line(start(type="tool_use", id=None, name="x", input={})),
    line(part({"type": "content_block_stop"})),
    line(part({"type": "message_delta"})),
    line({"type": "stream_event", "event": "text"}),
    line({"session_id": "s" * 1000, "event": {"type": "message_delta", "delta": 1}, "type": "stream_event"}),
]


@pytest.mark.parametrize(("value", "event"), KNOWN)
def test_known_lines(value: dict[str, Any], event: e.AnyEvent) -> None:
    assert e.decode_event(line(value)) == event


@pytest.mark.parametrize(("value", "event"), KNOWN)
def test_known_lines_with_fields_to_come(value: dict[str, Any], event: e.AnyEvent) -> None:
    # First and with white space, as another JSON writer may have it.
    changed = {"new": {"type": "text_delta"}, **value, "newer": [1, None]}
    assert e.decode_event(b" " + line(changed) + b" \r") == event


@pytest.mark.parametrize(("value", "kind"), UNKNOWN)
def test_unknown_lines_keep_their_type(value: dict[str, Any], kind: str) -> None:
    assert e.decode_event(line(value)) == e.Unknown(kind)


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_lines(broken: bytes) -> None:
    with pytest.raises(e.EventError, match="cannot read a "):
        e.decode_event(broken)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"m": {"outputTokens": 5}, "n": {"outputTokens": 2}}, 7),
        ({"m": {}}, 0),
        ([], 0),
        ({"m": {"outputTokens": "5"}}, 0),
    ],
)
def test_what_a_result_counts(usage: object, tokens: int) -> None:
    event = e.decode_event(line({"type": "result", "modelUsage": usage}))
    assert isinstance(event, e.Result)
    assert event.output_tokens == tokens
    assert e.Result().output_tokens == 0


def test_a_line_that_is_nested_too_deep_is_passed_over_or_refused() -> None:
    """Python 3.14 reads as deep as its stack allows, older ones 1,000 levels."""
    with suppress(e.EventError):
        e.decode_event(b'{"type":"assistant","message":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_the_error_holds_nothing_of_the_line() -> None:
    with pytest.raises(e.EventError) as caught:
        e.decode_event(line(delta(type="text_delta", text_="a secret of a client")))
    assert "secret" not in str(caught.value)


@given(st.lists(st.sampled_from([*KNOWN, *UNKNOWN]), max_size=6), st.data())
def test_any_cut_of_the_same_bytes_gives_the_same_events(chosen: list[tuple[Any, Any]], choose: st.DataObject) -> None:
    data = b"".join(line(value) + b"\n" for value, _ in chosen)
    places = sorted(choose.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    decoder = LineDecoder()
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    lines = [one for piece in pieces for one in decoder.feed(piece)]
    expected = [event if isinstance(event, msgspec.Struct) else e.Unknown(event) for _, event in chosen]
    assert [e.decode_event(one) for one in lines] == expected
    assert decoder.unfinished == 0


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        e.decode_event(data)
    except e.EventError:
        return
