import json
from collections.abc import Callable
from typing import Any

from claudegwd.openai_api.errors import InvalidRequest, UpstreamUnavailable
from claudegwd.openai_api.responses.response import CANCELLED, ResponseObject
from claudegwd.openai_api.responses.stream import ResponsesStream
from claudegwd.openai_api.responses.tools import CallShape
from claudegwd.openai_api.usage import Usage
from tests.openai_client import final_response, read_events
from tests.openai_description import validator

ECHO = {"instructions": None, "tools": [], "parallel_tool_calls": True, "metadata": {}, "tool_choice": "auto",
        "temperature": 1.0, "top_p": 1.0}  # fmt: skip
SHAPES = {
    "patch": CallShape("custom", "patch"),
    "mcp__f": CallShape("function", "f", "mcp"),
    "tool_search": CallShape("tool_search", "tool_search"),
}


def written(*steps: Callable[[ResponsesStream], bytes], reason: str = "stop") -> list[bytes]:
    """A whole stream, whose body is what its last event holds."""
    stream = ResponsesStream(ResponseObject("resp_1", 5, "m", ECHO), "t", SHAPES)
    pieces = [*stream.opening(), *(step(stream) for step in steps), stream.finish(reason), stream.usage(Usage(3, 2))]
    assert read_events(pieces)[-1]["response"] == json.loads(stream.body)
    return pieces


def text(raw: bytes) -> Callable[[ResponsesStream], bytes]:
    return lambda stream: stream.text(raw)


def start(ident: str, name: str) -> Callable[[ResponsesStream], bytes]:
    return lambda stream: stream.tool_start(ident, name)


def arguments(call: int, raw: bytes) -> Callable[[ResponsesStream], bytes]:
    return lambda stream: stream.tool_arguments(call, raw)


def types(pieces: list[bytes]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in read_events(pieces)]


def test_the_events_of_a_text_in_order() -> None:
    pieces = written(text(b'"Hel"'), text(b'"lo"'))
    assert types(pieces) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert final_response(pieces).output_text == "Hello"
    assert {event["item_id"] for event in read_events(pieces) if "item_id" in event} == {"msg_t00"}


def test_a_piece_of_text_goes_out_as_it_came() -> None:
    odd = b'"\\ud83d\\ude00\\u00e9 \\n "'
    pieces = written(text(b'"a"'), text(odd))
    assert odd in pieces[3]
    assert pieces[3].count(b"data: ") == 1


def test_the_events_of_a_call() -> None:
    pieces = written(start("c1", "f"), arguments(0, b'"{\\"a\\""'), arguments(0, b'":1}"'))
    assert types(pieces)[2:-1] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
    ]  # fmt: skip
    [call] = final_response(pieces).output
    assert call.type == "function_call"
    assert (call.call_id, call.name, call.arguments, call.status) == ("c1", "f", '{"a":1}', "completed")


def test_a_custom_call_comes_whole() -> None:
    pieces = written(start("c1", "patch"), arguments(0, b'"{\\"input\\":"'), arguments(0, b'"\\"x\\"}"'))
    assert types(pieces)[2:-1] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    [call] = final_response(pieces).output
    assert call.type == "custom_tool_call"
    assert (call.name, call.input) == ("patch", "x")


def test_a_search_of_the_clients_tools_has_its_arguments_as_an_object() -> None:
    pieces = written(start("c1", "tool_search"), arguments(0, b'"{\\"q\\":"'), arguments(0, b'"\\"x\\"}"'))
    assert types(pieces)[2:-1] == ["output_item.added", "output_item.done"]
    [call] = final_response(pieces).output
    assert call.type == "tool_search_call"
    assert (call.call_id, call.execution, call.arguments) == ("c1", "client", {"q": "x"})
    broken = final_response(written(start("c1", "tool_search"), arguments(0, b'"{\\"q"'))).output[0]
    assert broken.to_dict()["arguments"] == '{"q'


def test_a_compaction_is_an_item_that_comes_whole() -> None:
    pieces = written(lambda stream: stream.compaction("sealed"), text(b'"a"'))
    assert types(pieces)[2:5] == ["output_item.added", "output_item.done", "output_item.added"]
    compaction, message = final_response(pieces).output
    assert compaction.type == "compaction"
    assert (compaction.encrypted_content, message.type) == ("sealed", "message")


def test_each_kind_of_output_is_an_item_of_its_own() -> None:
    pieces = written(
        lambda stream: stream.reasoning(b'"hm"'),
        text(b'"a"'),
        start("c1", "mcp__f"),
        arguments(0, b'"{}"'),
        start("c2", "g"),
        arguments(1, b'"{}"'),
        text(b'"b"'),
        reason="tool_calls",
    )
    response = final_response(pieces)
    assert [item.type for item in response.output] == [
        "reasoning", "message", "function_call", "function_call", "message",
    ]  # fmt: skip
    added = [event["output_index"] for event in read_events(pieces) if event["type"].endswith("item.added")]
    done = [event["output_index"] for event in read_events(pieces) if event["type"].endswith("item.done")]
    assert added == done == [0, 1, 2, 3, 4]


def test_arguments_that_come_at_the_very_end() -> None:
    pieces = written(start("c1", "f"), start("c2", "g"), arguments(0, b'"{}"'), arguments(1, b'"{}"'))
    assert [item.arguments for item in final_response(pieces).output if item.type == "function_call"] == ["{}", "{}"]


def test_every_event_is_as_described() -> None:
    steps = (
        lambda stream: stream.reasoning(b'"hm"'),
        text(b'"a"'),
        lambda stream: stream.refusal(b'"no"'),
        start("c1", "patch"),
        arguments(0, b'"{}"'),
        start("c2", "mcp__f"),
        arguments(1, b'"{}"'),
    )
    for event in read_events(written(*steps)):
        validator("ResponseStreamEvent").validate(event)


def test_an_answer_that_was_cut() -> None:
    last: Any = read_events(written(text(b'"a"'), reason="length"))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"
    refused: Any = read_events(written(text(b'"a"'), reason="content_filter"))[-1]
    assert refused["response"]["incomplete_details"] == {"reason": "content_filter"}


def test_a_refusal_is_a_message_of_its_own() -> None:
    pieces = written(text(b'"a"'), lambda stream: stream.refusal(b'"No."'), reason="content_filter")
    assert types(pieces)[-6:] == [
        "content_part.added", "refusal.delta", "refusal.done", "content_part.done", "output_item.done", "incomplete",
    ]  # fmt: skip
    last: Any = read_events(pieces)[-1]
    said, refused = last["response"]["output"]
    assert (said["status"], refused["status"]) == ("completed", "incomplete")
    assert refused["content"] == [{"type": "refusal", "refusal": "No."}]


def test_no_output_at_all() -> None:
    pieces = written()
    assert types(pieces) == ["created", "in_progress", "completed"]
    assert final_response(pieces).output_text == ""


def test_an_answer_that_broke_off() -> None:
    stream = ResponsesStream(ResponseObject("resp_1", 5, "m", ECHO), "t", {})
    pieces = [*stream.opening(), stream.text(b'"a"'), stream.error(UpstreamUnavailable("cannot go on"))]
    last: Any = read_events(pieces)[-1]
    validator("ResponseStreamEvent").validate(last)
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"] == {"code": "server_error", "message": "cannot go on"}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_a_response_can_be_shown_at_any_time() -> None:
    stream = ResponsesStream(ResponseObject("resp_1", 5, "m", ECHO), "t", SHAPES)
    assert json.loads(stream.queued())["status"] == "queued"
    stream.text(b'"a"')
    shown = json.loads(stream.so_far())
    assert (shown["status"], shown["output"][0]["status"]) == ("in_progress", "in_progress")
    stream.finish("stop")
    stream.usage(Usage(1, 1))
    assert stream.so_far() == stream.body


def test_one_that_its_client_cancelled_is_no_failure() -> None:
    stream = ResponsesStream(ResponseObject("resp_1", 5, "m", ECHO), "t", SHAPES)
    error = InvalidRequest("cannot go on", code=CANCELLED)
    event = read_events([*stream.opening(), stream.text(b'"a"'), stream.error(error)])[-1]
    assert (event["type"], event["response"]["status"]) == ("response.incomplete", "cancelled")
    assert json.loads(stream.so_far()) == event["response"]


def test_places_of_citations_are_those_in_their_own_item() -> None:
    pieces = written(
        text(b'"\\ud83d\\ude00 one"'),  # five characters
        lambda stream: stream.search_start("s"),
        lambda stream: stream.search_input("s", "x"),
        lambda stream: stream.search_result("s", ["https://a.example/"], failed=False),
        text(b'"two"'),
        lambda stream: stream.citation(5, 8, "https://a.example/", "A"),
    )
    first, search, second = final_response(pieces).output
    assert (first.type, search.type, second.type) == ("message", "web_search_call", "message")
    assert first.content[0].annotations == []
    [cited] = second.content[0].annotations
    assert (cited.start_index, cited.end_index, cited.url) == (0, 3, "https://a.example/")


def test_a_search_that_nothing_came_of_has_failed() -> None:
    pieces = written(lambda stream: stream.search_start("s"), reason="length")
    assert read_events(pieces)[-1]["response"]["output"][0]["status"] == "failed"
    assert types(pieces)[2:] == [
        "output_item.added", "web_search_call.in_progress", "output_item.done", "incomplete",
    ]  # fmt: skip


def test_what_the_upstream_tells_of_no_search_that_began_is_nothing() -> None:
    pieces = written(
        lambda stream: stream.search_input("other", "x") + stream.search_result("other", [], failed=False),
        lambda stream: stream.citation(0, 1, "https://a.example/", "A"),
    )
    assert types(pieces) == ["created", "in_progress", "completed"]
