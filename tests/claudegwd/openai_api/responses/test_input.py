from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, UnsupportedParameter
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import FilePart, ImagePart, Message, TextPart, ToolCall
from claudegwd.openai_api.responses.compaction import summary_message
from claudegwd.openai_api.responses.input import Find, input_items, read_items, resolved

KEPT = {"msg_1": {"type": "message", "id": "msg_1", "role": "user", "content": "kept"}}


def read(value: Any, find: Find = KEPT.get) -> list[tuple[Message, str]]:
    items = resolved(input_items(Fields({"input": value}), Bounds()), find)
    return [(placed.message, placed.path) for placed in read_items(items, Bounds(), {"sealed": "the sum"}.get).placed]


def messages(value: Any) -> list[Message]:
    return [message for message, _ in read(value)]


def text(role: Any, words: str) -> Message:
    return Message(role=role, content=(TextPart(words),))


def test_a_string_is_a_message_of_the_users() -> None:
    assert read("hello") == [(text("user", "hello"), "input")]


@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
@pytest.mark.parametrize("kind", [{}, {"type": "message"}])
def test_messages_with_and_without_their_type(role: str, kind: dict[str, str]) -> None:
    given = [
        {**kind, "role": role, "content": "a"},
        {**kind, "role": role, "content": [{"type": "input_text", "text": "b"}]},
    ]
    assert read(given) == [(text(role, "a"), "input[0]"), (text(role, "b"), "input[1]")]


def test_what_an_assistant_said_comes_back() -> None:
    said = {"type": "message", "id": "msg_9", "role": "assistant", "status": "completed", "phase": "final_answer",
            "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                        {"type": "refusal", "refusal": "b"}]}  # fmt: skip
    assert messages([said]) == [Message(role="assistant", content=(TextPart("a"), TextPart("b")))]


def test_images_and_files() -> None:
    content = [
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
    ]
    [message] = messages([{"role": "user", "content": content}])
    assert message.content == (
        ImagePart("data:image/png;base64,AA==", "high"),
        FilePart("data:application/pdf;base64,AA==", "a.pdf"),
    )


def test_calls_and_their_results() -> None:
    given = [
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call", "call_id": "c2", "name": "g", "namespace": "mcp", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": 'a "b"'},
        {"type": "local_shell_call", "call_id": "c4", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": [{"type": "input_text", "text": "three"}]},
        {"type": "local_shell_call_output", "id": "c4", "output": "four"},
    ]
    found = messages(given)
    assert [call for message in found for call in message.tool_calls] == [
        ToolCall("c1", "f", '{"a":1}'),
        ToolCall("c2", "mcp__g", "{}"),
        ToolCall("c3", "patch", '{"input":"a \\"b\\""}'),
        ToolCall("c4", "local_shell", '{"type":"exec","command":["ls"]}'),
    ]
    results = [(message.tool_call_id, message.content) for message in found if message.role == "tool"]
    assert results == [("c1", (TextPart("one"),)), ("c3", (TextPart("three"),)), ("c4", (TextPart("four"),))]


def test_a_result_may_hold_a_picture() -> None:
    output = [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]
    [message] = messages([{"type": "function_call_output", "call_id": "c", "output": output}])
    assert isinstance(message.content[0], ImagePart)


def test_items_that_say_nothing_move_no_paths() -> None:
    given = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        {"role": "user", "content": "a"},
    ]
    assert read(given) == [(text("user", "a"), "input[1]")]


@pytest.mark.parametrize("reference", [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}])
def test_a_reference_stands_for_its_item(reference: dict[str, str]) -> None:
    assert read([reference]) == [(text("user", "kept"), "input[0]")]


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("  ", "input"),
        (5, "input"),
        (["a"], "input[0]"),
        ([{"type": "hologram"}], "input[0].type"),
        ([{"type": "computer_call"}], "input[0].call_id"),
        ([{"type": "item_reference", "id": "msg_2"}], "input[0].id"),
        ([{"content": "a"}], "input[0].role"),
        ([{"role": "tool", "content": "a"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": 5}], "input[0].content"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "refusal"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "dream"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "dream", "text": ""}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "dream", "text": 5}]}], "input[0].content[0].type"),
        ([{"role": "user", "id": "m", "content": [{"type": "dream"}]}], "input[0].content[0].type"),
        ([{"role": "assistant", "content": [{"type": "dream"}]}], "input[0].content[0].type"),
        ([{"role": "assistant", "content": [{"type": "input_image"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}], "input[0].content[0].image_url"),
        ([{"type": "function_call", "name": "f"}], "input[0].call_id"),
        ([{"type": "compaction", "encrypted_content": "foreign"}], "input[0].encrypted_content"),
        ([{"type": "compaction"}], "input[0].encrypted_content"),
        ([{"type": "function_call", "call_id": "c"}], "input[0].name"),
        ([{"type": "function_call_output", "output": "a"}], "input[0].call_id"),
        ([{"type": "function_call_output", "call_id": "c", "output": {}}], "input[0].output"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(value: Any, param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read(value)
    assert caught.value.param == param


def test_an_image_without_an_address_is_told_what_to_send_here() -> None:
    with pytest.raises(CallerError, match="send a data: URL"):  # not an object, as in a chat
        read([{"role": "user", "content": [{"type": "input_image"}]}])


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_image", "file_id": "file-1"}, "file_id"),
        ({"type": "input_file", "file_url": "https://example.org/a.pdf"}, "file_url"),
        ({"type": "input_audio"}, "type"),
    ],
)
def test_what_is_not_offered_is_refused(part: dict[str, str], param: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        read([{"role": "user", "content": [part]}])
    assert caught.value.param == f"input[0].content[0].{param}"


def test_items_bring_tools_and_what_has_no_effect_is_named_once() -> None:
    tool = {"type": "function", "name": "f"}
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [tool]},
        {"role": "assistant", "content": "a", "phase": "commentary"},
        {"role": "assistant", "content": "b", "phase": "final_answer"},
        {"type": "function_call", "call_id": "c", "name": "f", "caller": {"type": "program", "caller_id": "p"}},
        {"type": "function_call", "call_id": "d", "name": "f", "caller": {"type": "direct"}},
        {"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "dream", "id": "d", "status": "completed"},
        {"type": "tool_search_output", "call_id": None, "tools": [tool]},
    ]
    history = read_items(input_items(Fields({"input": items}), Bounds()), Bounds(), {}.get)
    assert [fields.values for fields in history.tools] == [tool, tool]
    assert history.ignored == ("input.phase", "input.caller", "input.mcp_list_tools", "input.dream")
    assert len(history.placed) == 4


@pytest.mark.parametrize("place", ["item", "content", "output", "nowhere"])
def test_marks_of_caches_are_named(place: str) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "input_text", "text": "a"}
    items = [
        {"role": "user", "content": [text | mark if place == "content" else text]} | (mark if place == "item" else {}),
        {"type": "function_call", "call_id": "c", "name": "f"},
        {"type": "function_call_output", "call_id": "c", "output": [text | mark if place == "output" else text]},
    ]
    history = read_items(input_items(Fields({"input": items}), Bounds()), Bounds(), {}.get)
    assert history.ignored == (() if place == "nowhere" else ("input.cache_control",))


@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
def test_the_text_of_a_part_of_a_type_to_come_is_told_and_the_type_named(role: str) -> None:
    parts = [{"type": "dream", "text": "a"}, {"type": "input_text", "text": "b"}]
    history = read_items(input_items(Fields({"input": [{"role": role, "content": parts}]}), Bounds()), Bounds(), {}.get)
    assert [part.text for part in history.placed[0].message.content if isinstance(part, TextPart)] == ["a", "b"]
    assert history.ignored == ("input.content.dream",)


def test_of_an_output_of_ours_a_part_without_text_is_left_out_and_named() -> None:
    parts = [{"type": "dream", "pixels": 5}, {"type": "output_text", "text": "b"}]
    item = {"id": "msg_1", "role": "assistant", "content": parts}
    history = read_items(input_items(Fields({"input": [item]}), Bounds()), Bounds(), {}.get)
    assert history.placed[0].message.content == (TextPart("b"),)
    assert history.ignored == ("input.content.dream",)


def test_before_a_compaction_only_what_was_said_by_the_user_and_the_system_counts() -> None:
    items = [
        {"role": "developer", "content": "rules"},
        {"role": "user", "content": "one"},
        {"type": "compaction", "id": "cmp_0", "encrypted_content": "sealed"},
        {"role": "assistant", "content": "answer"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"role": "user", "content": "two"},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"},
        {"role": "assistant", "content": "last"},
    ]
    summary = summary_message("the sum")
    assert messages(items) == [
        text("developer", "rules"), text("user", "one"), text("user", "two"), summary, text("assistant", "last"),
    ]  # fmt: skip
