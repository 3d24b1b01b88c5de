"""The upstream's events for who speaks its language."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from claudegwd.claude_cli.events import decode_event
from claudegwd.translate.answer.turn import Cited, Finished, Started, Turn, Verbatim
from claudegwd.translate.request.tools import ToolSet

TOOLS = ToolSet((), {"read": "read", "odd_mark": "ToolSearch"})
START = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}


def line(event: Any) -> bytes:
    return json.dumps({"type": "stream_event", "event": event, "session_id": "s", "uuid": "u"}).encode()


def outputs(lines: Iterable[bytes], turn: Turn) -> list[Any]:
    found: list[Any] = []
    for one in lines:
        event = decode_event(one)
        found += turn.passed_on(event, one)
        found += turn.feed(event)
    return found


def passed(*events: Any, turn: Turn | None = None) -> list[Any]:
    found = outputs(map(line, events), turn or Turn(TOOLS, verbatim=True))
    return [json.loads(one.raw) for one in found if isinstance(one, Verbatim)]


def delta(**fields: Any) -> Any:
    return {"type": "content_block_delta", "index": 0, "delta": fields}


@pytest.mark.parametrize(
    "event",
    [
        delta(type="text_delta", text="é"),
        delta(type="citations_delta", citation={"url": "u"}),
        delta(type="signature_delta", signature="s"),
        delta(type="of_next_year", anything=[1]),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "server_tool_use", "input": {}, "x": 1}},
        {"type": "event_of_next_year", "a": 1},
    ],
)
def test_every_kind_of_event_is_passed_on(event: Any) -> None:
    assert passed(START, OPEN, event, END) == [START, OPEN, event, END]


def test_byte_for_byte_and_ahead_of_what_is_made_of_it() -> None:
    raw = b'{"type":"message_start",  "message":{"model":"m","new":1.50}}'
    found = outputs([b'{"type":"stream_event","event":' + raw + b',"uuid":"u"}'], Turn(TOOLS, verbatim=True))
    assert found[0] == Verbatim("message_start", raw)
    assert isinstance(found[1], Started)


def test_the_last_output_is_the_end_and_nothing_follows_it() -> None:
    found = outputs(map(line, (START, OPEN, END, {"type": "message_stop"}, START)), Turn(TOOLS, verbatim=True))
    assert isinstance(found[-1], Finished)
    assert [one.name for one in found if isinstance(one, Verbatim)][-1] == "message_delta"


def test_who_does_not_ask_gets_none() -> None:
    assert passed(START, OPEN, END, turn=Turn(TOOLS)) == []


def test_the_clis_own_end_of_a_broken_answer_is_kept_back() -> None:
    broken = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {}}
    assert passed(START, OPEN, broken) == [START, OPEN]


def test_a_refusal_of_which_the_cli_leaves_reason_and_count_out_gets_them_back() -> None:
    turn = Turn(TOOLS, verbatim=True)
    refused = b'{"type":"system","subtype":"model_refusal_no_fallback"}'
    end = {"type": "message_delta", "delta": {"stop_reason": None, "stop_sequence": None}, "usage": {}}
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I will not."}}
    found = outputs([line(START), line(OPEN), line(said), refused, line(end)], turn)
    last = [json.loads(one.raw) for one in found if isinstance(one, Verbatim)][-1]
    assert last["delta"] == {"stop_reason": "refusal", "stop_sequence": None}
    assert last["usage"] == {"output_tokens": 3}  # estimated


@pytest.mark.parametrize(("told", "name"), [("odd_mark", "ToolSearch"), ("mcp__gw__read", "read"), ("read", "read")])
def test_tools_have_the_clients_names(told: str, name: str) -> None:
    block = {"type": "tool_use", "id": "t", "name": told, "input": {}}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    assert passed(START, start)[1]["content_block"] == {**block, "name": name}


def test_lines_of_the_clis_own_and_halves_of_characters() -> None:
    status = b'{"type":"system","subtype":"status","event":{}}'
    half = line(delta(type="text_delta", text="x")).replace(b'"x"', b'"\\ud83d"')
    found = outputs([line(START), line(OPEN), status, half], Turn(TOOLS, verbatim=True))
    events = [json.loads(one.raw) for one in found if isinstance(one, Verbatim)]
    assert events[2:] == [delta(type="text_delta", text="\ud83d")]


def test_pages_are_cited_once_for_each_text_that_rests_on_them() -> None:
    def opened(index: int, kind: str) -> Any:
        return {"type": "content_block_start", "index": index, "content_block": {"type": kind, "text": ""}}

    def page(index: int, url: str, kind: str = "web_search_result_location") -> Any:
        citation = {"type": kind, "url": url, "title": None}
        delta = {"type": "citations_delta", "citation": citation}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    def says(index: int, words: str) -> Any:
        delta = {"type": "text_delta", "text": words}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    def closed(index: int) -> Any:
        return {"type": "content_block_stop", "index": index}

    events = [
        START, opened(0, "server_tool_use"), closed(0), opened(1, "text"), says(1, "é😀"), closed(1),
        opened(2, "text"), says(2, "abc"), page(2, "u"), page(2, "u"), page(2, "d", "page_location"), closed(2),
        END,
    ]  # fmt: skip
    found = outputs(map(line, events), Turn(TOOLS))
    assert [one for one in found if isinstance(one, Cited)] == [Cited(2, 5, "u", "")]
