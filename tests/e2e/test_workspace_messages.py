"""A workspace by Anthropic's own API: its official client, the real CLI, and a scripted model that calls tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import pytest

from claudegwd.demo.script import ScriptedUsage
from tests.e2e.harness import Running, running
from tests.e2e.test_messages import anthropic_client
from tests.e2e.workspace_scripts import bash, config, works

pytestmark = pytest.mark.cli


def client_of(gateway: Running) -> anthropic.AsyncAnthropic:
    return anthropic_client(gateway.base_url)


def asked(*more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    first = {"role": "user", "content": "Look."}
    return {"model": "sonnet@repo", "max_tokens": 99, "messages": [first, *more], **fields}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    directory = tmp_path / "repo"
    directory.mkdir()
    (directory / "a.py").write_text("answer = 41\n")
    return directory


async def test_what_claude_does_is_shown_as_thinking(repo: Path) -> None:
    calls = [("Read", {"file_path": "a.py"}), bash("rm a.py")]
    script = works(calls, usage=ScriptedUsage(input_tokens=10, output_tokens=3))
    tools = 'anonymous = true\ntools = ["Read", "Bash"]'
    async with running(script, config=config(repo, tools)) as gateway, client_of(gateway) as client:
        async with client.messages.stream(**asked()) as stream:
            names = [event.type async for event in stream]
            message = await stream.get_final_message()
        assert (names[0], names[-1]) == ("message_start", "message_stop")
        found = [
            (block.type, getattr(block, "text", None) or getattr(block, "thinking", "")) for block in message.content
        ]
        assert found == [
            ("text", "Step 1."),
            ("thinking", "Read a.py\n"),
            ("text", "\n\nStep 2."),
            ("thinking", "Bash: rm a.py -> denied: no rule allows that command\n"),
            ("text", "\n\nAll done."),
        ]
        assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 30, 9)

        # It goes on by what the client sends back, without what was shown; by a plain model as well.
        said = [block.model_dump(exclude_none=True) for block in message.content]
        history = [{"role": "assistant", "content": said}, {"role": "user", "content": "And now?"}]
        for name in ("sonnet@repo", "sonnet"):
            before = gateway.endpoint.count
            again = await client.messages.create(**asked(*history, model=name))
            assert again.stop_reason in ("end_turn", "tool_use")
            told = json.dumps(gateway.upstream(before)[0].messages)
            assert "Step 2." in told
            assert "Read a.py" not in told


async def test_a_bound_is_told_in_a_header(repo: Path) -> None:
    script = works([("Glob", {"pattern": "*"})] * 9)
    text = "anonymous = true\nmax_turns = 2"
    async with running(script, config=config(repo, text)) as gateway, client_of(gateway) as client:
        raw = await client.messages.with_raw_response.create(**asked())
        message = await raw.parse()
        assert (message.stop_reason, raw.headers["x-claudegw-stopped"]) == ("max_tokens", "max_turns")
        assert "max_tokens" in raw.headers["x-claudegw-ignored"]
        count = await client.messages.count_tokens(
            model="sonnet@repo", messages=[{"role": "user", "content": "x" * 40}]
        )
        assert count.input_tokens > 0


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"mcp_servers": [{"type": "url", "url": "https://example.org", "name": "x"}]},
    ],
)
async def test_what_has_no_place_there_is_refused(repo: Path, more: dict[str, Any]) -> None:
    async with running(works([]), config=config(repo)) as gateway:
        header = {"anthropic-version": "2023-06-01"}
        refused = await gateway.post(asked(**more), "/v1/messages", headers=header)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
        assert gateway.endpoint.count == 0


async def test_for_others_it_does_not_exist(repo: Path) -> None:
    async with running(works([]), config=config(repo, 'clients = ["webui"]')) as gateway:
        made = await gateway.control("POST", "/v1/clients", {"name": "other"})
        for headers in ({}, {"x-api-key": made.json()["key"]}):
            for path in ("/v1/messages", "/v1/messages/count_tokens"):
                refused = await gateway.post(asked(), path, headers={**headers, "anthropic-version": "2023-06-01"})
                assert (refused.status_code, refused.json()["error"]["type"]) == (404, "not_found_error")
        assert gateway.endpoint.count == 0
