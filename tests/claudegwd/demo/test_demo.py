from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from claudegwd.demo.demo import demo
from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.script import Fail, ScriptedReply, Text, Thinking, ToolUse
from claudegwd.demo.wire import stream_frames
from tests.claudegwd.demo.requests import recorded
from tests.cli_binary import find_cli

WEATHER = {
    "name": "mcp__gw__get-weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK = {"name": "mcp__gw__clock", "input_schema": {"type": "object", "properties": {}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


def ask(said: Any = "hi", **body: Any) -> ScriptedReply:
    answer = demo(recorded(said, **body))
    assert isinstance(answer, ScriptedReply)
    return answer


def text_of(reply: ScriptedReply) -> str:
    return "".join(part for step in reply.steps if isinstance(step, Text) for part in step.parts)


def calls_of(reply: ScriptedReply) -> list[tuple[str, dict[str, Any]]]:
    return [(step.name, dict(step.input)) for step in reply.steps if isinstance(step, ToolUse)]


def test_greets_word_by_word_and_repeats_nothing() -> None:
    reply = ask("my password is false-secret", system=[{"type": "text", "text": "hidden"}])
    (text,) = reply.steps
    assert isinstance(text, Text)
    assert len(text.parts) > 20
    assert text_of(reply).startswith("Hello from the claudegwd demo!")
    assert "false-secret" not in text_of(reply)
    assert "hidden" not in text_of(reply)


def test_knows_which_question_it_is() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert text_of(ask(messages=turns)).startswith("This is question 2")


def test_calls_the_tools_that_are_named() -> None:
    both = [WEATHER, CLOCK]
    assert calls_of(ask("please use the tool get-weather", tools=both)) == [
        ("mcp__gw__get-weather", {"city": "example city"})
    ]
    assert [name for name, _ in calls_of(ask("use get-weather and clock", tools=both))] == [
        "mcp__gw__get-weather",
        "mcp__gw__clock",
    ]
    assert ask("use clock", tools=both).stop_reason == "tool_use"
    assert calls_of(ask("is the clock late?", tools=both)) == []
    assert calls_of(ask("use the clockwork", tools=both)) == []


def test_calls_what_the_tool_choice_demands() -> None:
    both = [WEATHER, CLOCK]
    assert len(calls_of(ask(tools=both, tool_choice={"type": "any"}))) == 1
    assert calls_of(ask(tools=both, tool_choice={"type": "tool", "name": "mcp__gw__clock"}))[0][0] == "mcp__gw__clock"
    assert calls_of(ask("use clock", tools=both, tool_choice={"type": "none"})) == []


def test_a_second_round_of_calls_has_other_ids() -> None:
    def ids(*before: dict[str, Any]) -> set[str]:
        reply = ask(messages=[*before, {"role": "user", "content": "use clock"}], tools=[CLOCK])
        return {step.id for step in reply.steps if isinstance(step, ToolUse)}

    assert ids().isdisjoint(ids({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}))


def test_reports_what_the_tool_answered() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "sunny"}]}
    reply = ask([result], tools=[WEATHER], tool_choice={"type": "any"})
    assert text_of(reply).startswith("The tool answered: sunny")
    assert calls_of(reply) == []


def test_answers_with_an_instance_of_the_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    reply = ask(output_config={"effort": "low", "format": {"type": "json_schema", "schema": schema}})
    assert json.loads(text_of(reply)) == {"n": 1}


def test_answers_with_an_object_when_the_system_prompt_asks_for_one() -> None:
    reply = ask(system=[{"type": "text", "text": "Answer with one JSON object and nothing else."}])
    assert isinstance(json.loads(text_of(reply)), dict)


@pytest.mark.parametrize(("rest", "answer"), [('{"const": {"a": 1}} and so on', {"a": 1}), ("{nonsense", None)])
def test_answers_with_an_instance_of_a_schema_in_words(rest: str, answer: Any) -> None:
    reply = ask(system=[{"type": "text", "text": f"The answer must satisfy this JSON Schema:\n{rest}"}])
    assert (json.loads(text_of(reply)) if answer else None) == answer


def test_counts_images() -> None:
    assert "I see 2 images." in text_of(ask([IMAGE, {"type": "text", "text": "look"}, IMAGE]))
    assert "I see 1 image." in text_of(ask([IMAGE]))


def test_thinks_when_asked_and_allowed() -> None:
    allowed = {"type": "enabled", "budget_tokens": 1024}
    assert isinstance(ask("think about it", thinking=allowed).steps[0], Thinking)
    assert not isinstance(ask("think about it").steps[0], Thinking)
    assert not isinstance(ask("hello", thinking=allowed).steps[0], Thinking)


def test_fails_when_asked() -> None:
    answer = demo(recorded("Fail with 529."))
    assert isinstance(answer, Fail)
    assert answer.status == 529
    assert ask("fail with refusal").stop_reason == "refusal"
    assert isinstance(demo(recorded("it may fail with 529 here")), ScriptedReply)


@pytest.mark.parametrize("word", ["401", "403", "429", "credit"])
def test_never_fails_in_a_way_that_costs_the_demo_its_only_key(word: str) -> None:
    assert isinstance(demo(recorded(f"fail with {word}")), ScriptedReply)


def test_obeys_stop_and_max_tokens() -> None:
    assert ask(max_tokens=3).stop_reason == "max_tokens"
    assert ask(stop_sequences=["demo"]).stop_sequence == "demo"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["messages", "system", "tools", "tool_choice", "output_config", "thinking", "max_tokens", "stop_sequences"]


@settings(deadline=None)  # a busy machine is no fault of a request
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), JSON)
def test_answers_whatever_arrives(body: dict[str, Any], said: Any) -> None:
    answer = demo(recorded(said, **body))
    if isinstance(answer, ScriptedReply):
        assert list(stream_frames(answer, model="m", message_id="msg_1"))


@pytest.mark.cli
async def test_the_real_cli_prints_the_text(nursery: trio.Nursery, tmp_path: Path) -> None:
    endpoint = ScriptedEndpoint(demo)
    await nursery.start(endpoint.serve)
    line = {"type": "user", "message": {"role": "user", "content": "hi"}, "parent_tool_use_id": None, "session_id": ""}
    environment = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "ANTHROPIC_BASE_URL": endpoint.base_url,
        "ANTHROPIC_AUTH_TOKEN": "sk-false-1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    arguments = ["-p", "--bare", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    with trio.fail_after(60):
        done = await trio.run_process(
            [str(find_cli()), *arguments, "--tools", "", "--setting-sources", "", "--no-session-persistence"],
            stdin=json.dumps(line).encode() + b"\n",
            capture_stdout=True,
            env=environment,
            cwd=tmp_path,
        )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["result"].startswith("Hello from the claudegwd demo!")
    assert endpoint.requests[-1].key == "sk-false-1"
    assert list(endpoint.strays) in ([], ["HEAD /"])
