"""Calls and results meet, whichever comes first; and every request of the CLI gets an answer."""

from typing import Any

import msgspec
import pytest

from claudegwd.claude_cli import events as e
from claudegwd.translate.request.history import ToolResult
from claudegwd.workers.worker.client_tools import ClientTools

TEXT = {"type": "text", "text": "42"}


def request(method: str, number: int = 7, **params: Any) -> e.CliRequest:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return e.CliRequest(f"req-{number}", e.CliRequestBody("mcp_message", message))


def call(ident: str, number: int) -> e.CliRequest:
    return request("tools/call", number, name="t", arguments={}, _meta={"claudecode/toolUseId": ident})


def answers(lines: bytes) -> dict[str, Any]:
    """Results by the id of the CLI's request."""
    found = {}
    for line in lines.splitlines():
        response = msgspec.json.decode(line)["response"]
        found[response["request_id"]] = response["response"]["mcp_response"]["result"]
    return found


def test_a_result_answers_the_call_that_waits() -> None:
    tools = ClientTools()
    assert tools.take(call("tu_1", 1)) == b""
    assert answers(tools.give([ToolResult("tu_1", (TEXT,))])) == {"req-1": {"content": [TEXT], "isError": False}}


def test_a_result_waits_for_its_call() -> None:
    tools = ClientTools()
    assert tools.give([ToolResult("tu_1", (TEXT,), is_error=True)]) == b""
    assert answers(tools.take(call("tu_1", 1))) == {"req-1": {"content": [TEXT], "isError": True}}


def test_each_call_is_answered_once_and_with_its_own_result() -> None:
    tools = ClientTools()
    tools.take(call("tu_1", 1))
    tools.take(call("tu_2", 2))
    other = {"type": "text", "text": "other"}
    both = answers(tools.give([ToolResult("tu_2", (other,)), ToolResult("tu_1", (TEXT,))]))
    assert both == {
        "req-1": {"content": [TEXT], "isError": False},
        "req-2": {"content": [other], "isError": False},
    }
    assert tools.give([]) == b""


def test_an_image_is_written_as_mcp_does() -> None:
    tools = ClientTools()
    tools.take(call("tu_1", 1))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    answer = answers(tools.give([ToolResult("tu_1", (image,))]))["req-1"]
    assert answer["content"] == [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]


def test_the_handshake_of_a_cli_that_takes_no_manifest() -> None:
    tools = ClientTools()
    tools.manifest = ({"name": "t", "inputSchema": {"type": "object"}},)
    started = answers(tools.take(request("initialize", protocolVersion="2099-01-01")))["req-7"]
    assert started["protocolVersion"] == "2099-01-01"
    assert answers(tools.take(request("tools/list")))["req-7"] == {"tools": list(tools.manifest)}
    assert answers(tools.take(request("notifications/initialized")))["req-7"] == {}


@pytest.mark.parametrize(
    "event",
    [
        e.CliRequest("req-1", e.CliRequestBody("can_use_tool")),
        e.CliRequest("req-1", e.CliRequestBody("mcp_message", None)),
    ],
)
def test_what_is_not_served_is_refused_and_not_left_waiting(event: e.CliRequest) -> None:
    response = msgspec.json.decode(ClientTools().take(event))["response"]
    assert (response["subtype"], response["request_id"]) == ("error", "req-1")


@pytest.mark.parametrize("params", [None, [1], "x", {"_meta": [1]}, {"_meta": "x"}])
@pytest.mark.parametrize("method", ["tools/call", "initialize"])
def test_odd_parameters_of_somebody_else_beside_the_cli(method: str, params: Any) -> None:
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    tools = ClientTools()
    tools.take(e.CliRequest("req-7", e.CliRequestBody("mcp_message", message)))
    assert tools.give([ToolResult("tu_1", (TEXT,))]) == b""
