import json
from typing import Any

import pytest

from claudegwd.openai_api.responses.items import (
    CallItem,
    CustomCallItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
    RefusalItem,
)
from claudegwd.openai_api.responses.tools import CallShape
from tests.openai_client import described


def shown(item: OutputItem, status: bytes = b"completed") -> Any:
    return described("OutputItem", item.json(status))


def test_a_message() -> None:
    item = MessageItem("abc", 2)
    assert shown(item, b"in_progress") == {
        "id": "msg_abc02", "type": "message", "status": "in_progress", "role": "assistant", "content": [],
    }  # fmt: skip
    item.pieces += [b'"a\\ud83d"', b'"\\ude00"']
    assert shown(item)["content"][0]["text"] == "a😀"


def test_a_refusal() -> None:
    item = RefusalItem("abc", 1)
    item.pieces.append(b'"No."')
    assert shown(item, b"incomplete")["content"] == [{"type": "refusal", "refusal": "No."}]


def test_reasoning_is_a_summary() -> None:
    item = ReasoningItem("abc", 0)
    assert shown(item)["summary"] == []
    item.pieces.append(b'"hm"')
    assert shown(item)["summary"] == [{"type": "summary_text", "text": "hm"}]


def test_a_call_of_a_namespace() -> None:
    item = CallItem("abc", 0, "c1", CallShape("function", "f", "mcp"))
    item.pieces += [b'"{\\"a\\":"', b'"1}"']
    found = shown(item)
    assert (found["call_id"], found["name"], found["namespace"]) == ("c1", "f", "mcp")
    assert found["arguments"] == '{"a":1}'


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [('{"input": "a\\n\\"b\\""}', 'a\n"b"'), ("{}", "{}"), ("{broken", "{broken"), ('{"input": 5}', '{"input": 5}')],
)
def test_a_custom_call_has_the_text_out_of_its_arguments(arguments: str, wanted: str) -> None:
    item = CustomCallItem("abc", 0, "c1", CallShape("custom", "patch"))
    item.pieces.append(json.dumps(arguments).encode())
    assert shown(item)["input"] == wanted
