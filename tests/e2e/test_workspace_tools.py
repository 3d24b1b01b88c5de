"""The client's own tools beside Claude's: a call of one ends the answer, and its result goes on in the same process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from claudegwd.demo.script import Answer, RecordedRequest, Script, ScriptedReply, Text, ToolUse
from tests.e2e.harness import Answered, Running, running
from tests.e2e.test_messages import anthropic_client
from tests.e2e.workspace_scripts import bash, config, results, until_gone, works
from tests.marked_processes import processes

pytestmark = pytest.mark.cli

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Of a city.", "parameters": PARAMETERS}}]
ASKED = [{"role": "user", "content": "Look, and ask for the weather."}]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    directory = tmp_path / "repo"
    directory.mkdir()
    (directory / "a.py").write_text("answer = 41\n")
    return directory


def weather(ident: str, city: str) -> ToolUse:
    return ToolUse(ident, "weather", {"city": city})


def looks(*steps: ToolUse) -> Script:
    """Claude reads, then makes these calls in one message, then says the last words."""

    def script(request: RecordedRequest) -> Answer:
        done = len(results(request))
        if not done:
            return ScriptedReply((Text(("One.",)), ToolUse("toolu_0", "Read", {"file_path": "a.py"})), "tool_use")
        if "answer = 41" in results(request)[0] and done == 1:
            return ScriptedReply((Text(("Two.",)), *steps), "tool_use")
        return ScriptedReply((Text(("All done.",)),))

    return script


def after(first: Answered, **given: str) -> list[dict[str, Any]]:
    """The conversation with what the tools gave."""
    said = first.message.model_dump(exclude_none=True)
    told = [{"role": "tool", "tool_call_id": ident, "content": text} for ident, text in given.items()]
    return [*ASKED, said, *told]


async def ask(gateway: Running, messages: Any = ASKED, **more: Any) -> Answered:
    return await gateway.ask(messages, model="sonnet@repo", tools=TOOLS, **more)


async def test_an_answer_goes_on_with_the_result(repo: Path) -> None:
    # Beside the client's calls, in the same message, one of Claude's own.
    steps = (weather("toolu_1", "Rome"), ToolUse("toolu_2", "Glob", {"pattern": "*"}), weather("toolu_3", "Bern"))
    async with running(looks(*steps), config=config(repo)) as gateway:
        first = await ask(gateway)
        assert (first.how, first.reason, first.text) == ("cold", "tool_calls", "One.\n\nTwo.")
        assert first.message.reasoning_content.startswith("Read a.py\n")
        calls = [(call.id, call.function.name, call.function.arguments) for call in first.message.tool_calls]
        assert calls == [("toolu_1", "weather", '{"city":"Rome"}'), ("toolu_3", "weather", '{"city":"Bern"}')]
        assert first.completion.usage is not None
        assert first.completion.usage.prompt_tokens == 20
        second = await ask(gateway, after(first, toolu_1="sunny", toolu_3="rain"))
        assert (second.how, second.reason, second.text) == ("parked", "stop", "All done.")
        # What Claude's own tool gave is shown in the answer under way, or in the next: whichever it was in time for.
        shown = first.message.reasoning_content + getattr(second.message, "reasoning_content", "")
        assert shown.splitlines() == ["Read a.py", "Glob *"]
        assert second.completion.usage is not None
        assert second.completion.usage.prompt_tokens == 10
        # One conversation: what Claude has read is still there, and nothing was asked twice.
        assert gateway.endpoint.count == 3
        told = results(gateway.upstream()[-1])
        assert [any(word in text for text in told) for word in ("answer = 41", "sunny", "rain")] == [True] * 3
        names = {tool["name"] for tool in gateway.upstream()[-1].body["tools"]}
        assert names == {"Read", "Grep", "Glob", "weather"}


async def test_streamed_and_in_several_rounds(repo: Path) -> None:
    def script(request: RecordedRequest) -> Answer:
        done = len(results(request))
        if done < 3:
            return ScriptedReply((weather(f"toolu_{done}", f"city {done}"),), "tool_use")
        return ScriptedReply((Text(("All done.",)),))

    async with running(script, config=config(repo)) as gateway:
        messages: list[dict[str, Any]] = list(ASKED)
        for number in range(3):
            chunks = await gateway.stream(messages, model="sonnet@repo", tools=TOOLS)
            assert chunks[-1].choices[0].finish_reason == "tool_calls"
            pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
            arguments = "".join(piece.function.arguments or "" for piece in pieces if piece.function)
            assert (pieces[0].id, json.loads(arguments)) == (f"toolu_{number}", {"city": f"city {number}"})
            call = {"id": pieces[0].id, "type": "function", "function": {"name": "weather", "arguments": arguments}}
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": pieces[0].id, "content": "sunny"},
            ]
        last = await ask(gateway, messages)
        assert (last.how, last.text) == ("parked", "All done.")
        assert gateway.endpoint.count == 4


@pytest.mark.parametrize("changed", ["the configuration", "the conversation"])
async def test_without_the_process_the_history_is_told_anew(repo: Path, changed: str) -> None:
    script = looks(weather("toolu_1", "Rome"))
    async with running(script, config=config(repo)) as gateway:
        first = await ask(gateway)
        messages = after(first, toolu_1="sunny")
        if changed == "the configuration":
            gateway.daemon.write_config(config(repo, "anonymous = true\nmax_turns = 9"))
            assert (await gateway.control("POST", "/v1/reload")).status_code == 200
        else:
            messages[0] = {"role": "user", "content": "Look again."}
        second = await ask(gateway, messages)
        assert (second.how, second.text) == ("cold", "All done.")
        blocks = [block for message in gateway.upstream()[-1].messages if message["role"] != "system"
                  for block in message["content"] if isinstance(block, dict)]  # fmt: skip
        kinds = [block["type"] for block in blocks]
        assert kinds[:4] == ["text", "text", "tool_use", "tool_result"]
        assert "sunny" in json.dumps(blocks[3])


async def test_nobody_else_goes_on_in_it(repo: Path) -> None:
    granted = 'clients = ["one", "two"]'
    async with running(looks(weather("toolu_1", "Rome")), config=config(repo, granted)) as gateway:
        headers: dict[str, Mapping[str, str]] = {}
        for name in ("one", "two"):
            made = await gateway.control("POST", "/v1/clients", {"name": name})
            headers[name] = {"authorization": f"Bearer {made.json()['key']}"}
        first = await ask(gateway, extra_headers=headers["one"])
        messages = after(first, toolu_1="sunny")
        assert (await ask(gateway, messages, extra_headers=headers["two"])).how == "cold"
        assert (await ask(gateway, messages, extra_headers=headers["one"])).how == "parked"
        assert (await ask(gateway, messages, extra_headers=headers["one"])).how == "cold"


async def test_a_client_that_is_revoked_leaves_no_process_behind(repo: Path) -> None:
    async with running(looks(weather("toolu_1", "Rome")), config=config(repo, 'clients = ["one"]')) as gateway:
        made = await gateway.control("POST", "/v1/clients", {"name": "one"})
        headers = {"authorization": f"Bearer {made.json()['key']}"}
        assert (await ask(gateway, extra_headers=headers)).reason == "tool_calls"
        assert processes(str(repo))
        await gateway.control("DELETE", "/v1/clients/one")
        await until_gone(gateway, str(repo))


async def test_the_other_apis(repo: Path) -> None:
    async with running(looks(weather("toolu_1", "Rome")), config=config(repo)) as gateway:
        flat: Any = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
        response = await gateway.client.responses.create(model="sonnet@repo", input="Look.", tools=[flat])
        call = next(item for item in response.output if item.type == "function_call")
        given: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        raw = await gateway.client.responses.with_raw_response.create(
            model="sonnet@repo", input=[given], tools=[flat], previous_response_id=response.id
        )
        assert (raw.headers["x-claudegw-worker"], raw.parse().output_text) == ("parked", "All done.")

        tools: Any = [{"name": "weather", "input_schema": PARAMETERS}]
        asked: Any = {"model": "sonnet@repo", "max_tokens": 99, "tools": tools}
        async with anthropic_client(gateway.base_url) as client:
            message = await client.messages.create(**asked, messages=ASKED)
            assert message.stop_reason == "tool_use"
            use = message.content[-1]
            assert (use.type, getattr(use, "input", None)) == ("tool_use", {"city": "Rome"})
            said = [block.model_dump(exclude_none=True) for block in message.content]
            told = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
            history = [*ASKED, {"role": "assistant", "content": said}, {"role": "user", "content": [told]}]
            again = await client.messages.with_raw_response.create(**asked, messages=history)
            assert again.headers["x-claudegw-worker"] == "parked"
            assert (await again.parse()).content[-1].type == "text"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "Bash"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "mcp__git__log"}}]}, "tools"),
        ({"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice"),
    ],
)
async def test_what_cannot_be_is_refused(repo: Path, more: dict[str, Any], param: str) -> None:
    async with running(works([]), config=config(repo)) as gateway:
        error = await gateway.refused("Go.", model="sonnet@repo", **more)
        assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", param)


async def test_a_choice_of_none_offers_none(repo: Path) -> None:
    async with running(works([]), config=config(repo)) as gateway:
        answer = await ask(gateway, tool_choice="none")
        assert answer.text.endswith("All done.")
        assert "weather" not in {tool["name"] for tool in gateway.upstream()[-1].body["tools"]}


async def test_the_next_message_goes_on_in_the_same_process(repo: Path) -> None:
    script = works([("Read", {"file_path": "a.py"}), ("Glob", {"pattern": "*"})])
    async with running(script, config=config(repo, "anonymous = true\nmax_turns = 3")) as gateway:
        first = await gateway.ask(ASKED, model="sonnet@repo")
        assert (first.how, first.text) == ("cold", "Step 1.\n\nStep 2.\n\nAll done.")
        said = {"role": "assistant", "content": first.text}
        history = [*ASKED, said, {"role": "user", "content": "And now?"}]
        second = await gateway.ask(history, model="sonnet@repo")
        assert (second.how, second.reason, second.text) == ("continued", "stop", "All done.")
        # What Claude has read is still there, though the client never had it; bounds and usage are those of an answer.
        assert "answer = 41" in results(gateway.upstream()[-1])[0]
        assert second.completion.usage is not None
        assert second.completion.usage.prompt_tokens == 10
        # Another branch of the conversation is another process.
        history[-1] = {"role": "user", "content": "Or now?"}
        assert (await gateway.ask(history, model="sonnet@repo")).how == "cold"


async def test_a_process_that_has_left_something_running_ends_with_its_answer(repo: Path) -> None:
    (repo / "left.py").write_text(
        "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True, stdout=-3, stderr=-3)\n"
    )
    rules = 'anonymous = true\ntools = ["Bash"]\nallow = ["Bash(python3 left.py)"]'
    script = works([bash("python3 left.py")])
    async with running(script, config=config(repo, rules), env={"PATH": "/usr/bin:/bin"}) as gateway:
        first = await gateway.ask(ASKED, model="sonnet@repo")
        assert first.message.reasoning_content == "Bash: python3 left.py -> exit 0\n"
        history = [*ASKED, {"role": "assistant", "content": first.text}, {"role": "user", "content": "And now?"}]
        assert (await gateway.ask(history, model="sonnet@repo")).how == "cold"
