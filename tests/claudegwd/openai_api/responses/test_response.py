import json
from typing import Any

import pytest

from claudegwd.openai_api.errors import (
    ContextLengthExceeded,
    GatewayError,
    InternalError,
    InvalidRequest,
    UpstreamRateLimited,
)
from claudegwd.openai_api.responses.response import ItemsPage, ResponseObject, page_of_items, parse_items_page
from claudegwd.openai_api.usage import Usage
from tests.openai_client import described

ECHO = {"instructions": None, "tools": [], "parallel_tool_calls": True, "metadata": {}, "tool_choice": "auto",
        "temperature": 1.0, "top_p": 1.0}  # fmt: skip
MADE = ResponseObject("resp_1", 5, "m", ECHO)
ITEMS = [
    {"id": "a", "role": "user", "content": "one"},
    {"id": "b", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
    {"id": "c", "type": "message", "role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/gif;base64,AA=="}]},
    {"id": "d", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"id": "e", "type": "function_call_output", "call_id": "c1", "output": "r"},
]  # fmt: skip


def test_a_response_is_whole_at_its_end() -> None:
    usage = Usage(10, 5, cached_tokens=4, reasoning_tokens=3, written_tokens=2)
    body = described("Response", MADE.json("completed", [], usage=usage))
    assert (body["status"], body["error"], body["incomplete_details"]) == ("completed", None, None)
    assert body["usage"] == {
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 15,
    }  # fmt: skip


def test_one_that_was_cut_says_why() -> None:
    body = described("Response", MADE.json("incomplete", [], incomplete="max_output_tokens"))
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InternalError("cannot"), "server_error"),
        (InvalidRequest("cannot"), "invalid_prompt"),
        (UpstreamRateLimited("cannot"), "rate_limit_exceeded"),
    ],
)
def test_one_that_failed_says_why(error: GatewayError, code: str) -> None:
    assert described("Response", MADE.json("failed", [], error=error))["error"] == {"code": code, "message": "cannot"}


def test_agents_are_told_when_to_compact() -> None:
    failed = json.loads(MADE.json("failed", [], error=ContextLengthExceeded("cannot")))
    assert failed["error"]["code"] == "context_length_exceeded"


def page(**wanted: Any) -> Any:
    return described("ResponseItemList", page_of_items(ITEMS, ItemsPage(**wanted)))


def test_the_newest_items_come_first() -> None:
    found = page()
    assert [item["id"] for item in found["data"]] == ["e", "d", "c", "b", "a"]
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("e", "a", False)
    assert found["data"][-1]["content"] == [{"type": "input_text", "text": "one"}]


def test_pages_follow_each_other() -> None:
    first = page(limit=2, newest_first=False)
    assert ([item["id"] for item in first["data"]], first["has_more"]) == (["a", "b"], True)
    last = page(limit=3, newest_first=False, after=first["last_id"])
    assert ([item["id"] for item in last["data"]], last["has_more"]) == (["c", "d", "e"], False)


def test_no_items_at_all() -> None:
    described("ResponseItemList", page_of_items([], ItemsPage()))


def test_queries() -> None:
    assert parse_items_page({}) == ItemsPage(20, newest_first=True)
    assert parse_items_page({"limit": "7", "order": "asc", "after": "x"}) == ItemsPage(7, newest_first=False, after="x")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"order": "up"}])
def test_queries_that_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_items_page(query)
    assert caught.value.param in query


def test_a_page_after_an_item_that_is_not_there() -> None:
    with pytest.raises(InvalidRequest) as caught:
        page(after="z")
    assert caught.value.param == "after"
