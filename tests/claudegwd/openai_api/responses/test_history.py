from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import ImagePart, Message, TextPart, ToolCall
from claudegwd.openai_api.responses.history import HISTORY, read_unknown


def read(item: dict[str, Any]) -> list[Message]:
    reader = HISTORY.get(item["type"], read_unknown)
    return list(reader(Fields(item, "input[0]"), Bounds()))


def call(ident: str, name: str, arguments: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(ident, name, arguments),))


def result(ident: str, *texts: str) -> Message:
    return Message(role="tool", tool_call_id=ident, content=tuple(map(TextPart, texts)))


OUTPUT = {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
# Each as OpenAI's description has it, and what the model is told.
TOLD: list[tuple[dict[str, Any], list[Message]]] = [
    (
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
        [call("c", "shell", '{"commands":["ls"]}')],
    ),
    (
        {"type": "shell_call_output", "call_id": "c", "output": [OUTPUT]},
        [result("c", '[{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}}]')],
    ),
    (
        {
            "type": "apply_patch_call",
            "call_id": "c",
            "status": "completed",
            "operation": {"type": "delete_file", "path": "a"},
        },
        [call("c", "apply_patch", '{"type":"delete_file","path":"a"}')],
    ),
    (
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no such file"},
        [result("c", "no such file")],
    ),
    ({"type": "apply_patch_call_output", "call_id": "c", "status": "completed"}, [result("c", "completed")]),
    (
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "arguments": '{"a":1}', "output": "o"},
        [call("m", "s__f", '{"a":1}'), result("m", "o")],
    ),
    (
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "arguments": "{}", "error": {"code": 1}},
        [call("m", "s__f", "{}"), result("m", '{"code":1}')],
    ),
    (
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "arguments": "{}"},
        [call("m", "s__f", "{}")],
    ),
    ({"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []}, []),
    ({"type": "mcp_approval_request", "id": "m", "server_label": "s", "name": "f", "arguments": "{}"}, []),
    ({"type": "mcp_approval_response", "approval_request_id": "m", "request_id": "m", "approve": True}, []),
    ({"type": "file_search_call", "id": "f", "status": "completed", "queries": ["q"], "results": None}, []),
    (
        {"type": "file_search_call", "id": "f", "status": "completed", "queries": ["q"], "results": [{"text": "t"}]},
        [call("f", "file_search", '{"queries":["q"]}'), result("f", '[{"text":"t"}]')],
    ),
    (
        {
            "type": "code_interpreter_call",
            "id": "i",
            "code": "1+1",
            "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "x"}],
        },
        [call("i", "code_interpreter", '{"code":"1+1"}'), result("i", "2")],
    ),
    ({"type": "code_interpreter_call", "id": "i", "code": None, "outputs": None}, []),
    (
        {"type": "image_generation_call", "id": "g", "status": "completed", "result": "AA=="},
        [
            call("g", "image_generation", "{}"),
            Message(role="tool", tool_call_id="g", content=(ImagePart("data:image/png;base64,AA=="),)),
        ],
    ),
    ({"type": "image_generation_call", "id": "g", "status": "failed", "result": None}, []),
    (
        {"type": "computer_call", "id": "x", "call_id": "c", "action": {"type": "wait"}},
        [call("c", "computer", '{"actions":[{"type":"wait"}]}')],
    ),
    (
        {"type": "computer_call_output", "call_id": "c", "output": {"image_url": "data:image/png;base64,AA=="}},
        [Message(role="tool", tool_call_id="c", content=(ImagePart("data:image/png;base64,AA=="),))],
    ),
    ({"type": "computer_call_output", "call_id": "c", "output": {"file_id": "f"}}, [result("c", '{"file_id":"f"}')]),
    (
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"q": "x"}},
        [call("c", "tool_search", '{"q":"x"}')],
    ),
    ({"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {}}, []),
    (
        {"type": "tool_search_output", "call_id": "c", "tools": [{"type": "function", "name": "f"}]},
        [result("c", "These tools can be called now: f")],
    ),
    ({"type": "tool_search_output", "call_id": "c", "tools": []}, [result("c", "No tool was found.")]),
    ({"type": "tool_search_output", "call_id": None, "tools": []}, []),
    (
        {"type": "program", "id": "p", "call_id": "c", "code": "f()", "fingerprint": "x"},
        [call("c", "program", '{"code":"f()"}')],
    ),
    ({"type": "program_output", "id": "p", "call_id": "c", "result": "r"}, [result("c", "r")]),
    (
        {
            "type": "agent_message",
            "author": "a",
            "recipient": "b",
            "content": [{"type": "input_text", "text": "Go."}],
        },
        [Message(role="user", content=(TextPart("Message from a to b:\nGo."),))],
    ),
]


@pytest.mark.parametrize(("item", "told"), TOLD, ids=lambda value: value["type"] if isinstance(value, dict) else "")
def test_what_the_model_is_told(item: dict[str, Any], told: list[Message]) -> None:
    assert read(item) == told


def test_every_type_is_in_the_table_above() -> None:
    assert {item["type"] for item, _ in TOLD} == HISTORY.keys()


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"type": "dream", "id": "d", "status": "completed"}, []),
        ({"type": "dream", "id": "d", "text": "a"}, [Message(role="assistant", content=(TextPart("a"),))]),
        ({"type": "note", "content": "a"}, [Message(role="user", content=(TextPart("a"),))]),
        (
            {"type": "note", "role": "developer", "content": [{"type": "x", "text": "a"}, {"type": "y"}]},
            [Message(role="developer", content=(TextPart("a"),))],
        ),
    ],
)
def test_an_unknown_item_is_told_by_its_words(item: dict[str, Any], told: list[Message]) -> None:
    assert read(item) == told


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "dream"}, "type"),
        ({"type": "dream", "id": "d", "encrypted_content": "x"}, "type"),
        ({"type": "shell_call", "call_id": "c"}, "action"),
        ({"type": "shell_call_output", "output": []}, "call_id"),
        ({"type": "mcp_call", "id": "m", "name": "f"}, "server_label"),
        ({"type": "agent_message", "author": "a", "content": [{"encrypted_content": "x"}]}, "content"),
    ],
)
def test_a_sense_that_is_lost_is_refused(item: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(item)
    assert caught.value.param == f"input[0].{param}"
