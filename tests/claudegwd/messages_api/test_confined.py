"""From a workspace nothing goes up by which the upstream would reach out for it."""

from typing import Any

import pytest

from claudegwd.messages_api.confined import check_confined, for_transcript
from claudegwd.messages_api.request import read_messages_request
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, PermissionDenied
from claudegwd.openai_api.fields import Fields

ELSEWHERE = {"type": "url", "url": "https://elsewhere.example/?what=was-read"}
PICTURE = {"type": "image", "source": ELSEWHERE}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [PICTURE]}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
REACHING: dict[str, dict[str, Any]] = {
    "a server": {"mcp_servers": [{"type": "url", "url": "https://elsewhere.example", "name": "x"}]},
    "a container": {"container": "c1"},
    "a picture": {"messages": [{"role": "user", "content": [PICTURE]}]},
    "a document": {"messages": [{"role": "user", "content": [{**PICTURE, "type": "document"}]}]},
    "a picture in a result": {"messages": [{"role": "user", "content": [RESULT]}]},
    "a file": {"messages": [{"role": "user", "content": [{**PICTURE, "source": {"type": "file", "file_id": "f"}}]}]},
    "a fetch": {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
    "code": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    "a search": {"tools": [SEARCH]},
}


def check(more: dict[str, Any], *, searches: bool = False) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}], **more}
    check_confined(read_messages_request(Fields(body), "", Bounds()), searches=searches)


@pytest.mark.parametrize("name", REACHING)
def test_what_reaches_out_is_refused(name: str) -> None:
    with pytest.raises(CallerError):  # some already by the reading of the request
        check(REACHING[name])


def test_what_the_cli_asks_is_not() -> None:
    inline = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    tools = [{"name": "Read", "input_schema": {"properties": {"source": {"type": "url"}}}}]
    check({"messages": [{"role": "user", "content": [inline]}], "tools": tools})
    check({"tools": [SEARCH]}, searches=True)
    with pytest.raises(PermissionDenied):
        check({"tools": [SEARCH, {"type": "web_fetch_20250910", "name": "web_fetch"}]}, searches=True)


def test_as_another_cli_can_ask_it() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "system", "content": "# Environment"}]
    body = {"model": "m", "max_tokens": 5, "messages": messages, "context_management": {"edits": []}, "temperature": 1}
    wanted = for_transcript(read_messages_request(Fields(body), "", Bounds()))
    assert [message["role"] for message in wanted.messages] == ["user", "user"]
    assert wanted.body == {"max_tokens": 5, "temperature": 1, "messages": wanted.messages}
    assert [message["role"] for message in messages] == ["user", "system"]
