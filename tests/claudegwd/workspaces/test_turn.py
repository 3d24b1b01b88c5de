from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from claudegwd.claude_cli.tool_lines import ToolAsked, ToolCalled
from claudegwd.keys.failures import FailureKind
from claudegwd.openai_api.chat.request import Tool
from claudegwd.translate.answer.literals import joined
from claudegwd.translate.answer.outputs import (
    After,
    Failed,
    Finished,
    Reasoning,
    Started,
    TextPiece,
    TokenCount,
    ToolArguments,
    ToolStart,
)
from claudegwd.translate.request.tools import tool_set
from claudegwd.workspaces.turn import Acknowledged, Told, Unasked, WorkspaceTurn


def stream(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": {"type": kind, **more}}


def message(*texts: str, stop: str = "end_turn", thought: str = "", prompt: int = 10) -> list[dict[str, Any]]:
    """One upstream message as the CLI passes it on."""
    head = {"id": "m", "model": "claude-x", "usage": {"input_tokens": prompt, "output_tokens": 1}}
    events = [stream("message_start", message=head)]
    if thought:
        events.append(stream("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": thought}))
    events += [stream("content_block_delta", index=1, delta={"type": "text_delta", "text": text}) for text in texts]
    return [*events, stream("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 5}),
            stream("message_stop")]  # fmt: skip


def called(ident: str, name: str, **given: Any) -> dict[str, Any]:
    return {
        "type": "assistant",
        "message": {"content": [{"type": "tool_use", "id": ident, "name": name, "input": given}]},
    }


def returned(ident: str, text: str = "", *, failed: bool = False) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": ident, "content": text, "is_error": failed}
    return {"type": "user", "message": {"content": [block]}}


def asked(ident: str, name: str, call: str = "", **given: Any) -> dict[str, Any]:
    request = {"subtype": "can_use_tool", "tool_name": name, "input": given, "tool_use_id": call}
    return {"type": "control_request", "request_id": ident, "request": request}


RESULT = {"type": "result", "subtype": "success", "num_turns": 2, "is_error": False}


def fed(turn: WorkspaceTurn, *lines: Mapping[str, Any]) -> list[Told]:
    return [told for line in lines for told in turn.feed(json.dumps(line).encode())]


def words(outputs: list[Told]) -> tuple[str, str]:
    text = [output.raw for output in outputs if isinstance(output, TextPiece)]
    return joined(text), joined([output.raw for output in outputs if isinstance(output, Reasoning)])


def test_many_messages_are_one_answer() -> None:
    turn = WorkspaceTurn("/w")
    outputs = fed(
        turn,
        *message("Look", "ing.", stop="tool_use"), called("t1", "Read", file_path="/w/a"), returned("t1", "SECRET"),
        *message(stop="tool_use", thought="hm"), called("t2", "Bash", command="ls"),
        asked("r", "Bash", "t2", command="ls"), returned("t2", "Exit code 2", failed=True),
        *message("Done."), RESULT,
    )  # fmt: skip
    assert words(outputs) == ("Looking.\n\nDone.", "Read a\nhm\nBash: ls -> exit 2\n")
    assert [output for output in outputs if isinstance(output, Started)] == [Started("claude-x")]
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage) == ("stop", TokenCount(prompt=30, completion=15))
    assert fed(turn, *message("late"), RESULT) == []


def test_the_cli_asks_and_a_denial_is_shown_once() -> None:
    turn = WorkspaceTurn("/w")
    (question,) = fed(turn, called("t1", "Bash", command="rm x"), asked("r1", "Bash", "t1", command="rm x"))
    assert question == ToolAsked("r1", "Bash", {"command": "rm x"}, "t1")
    turn.denied(question, "no rule")
    outputs = fed(
        turn, returned("t1", "denied", failed=True), called("t2", "Bash", command="rm x"), returned("t2", "gone")
    )
    assert words(outputs)[1] == "Bash: rm x -> denied: no rule\nBash: rm x -> exit 0\n"


def test_a_denial_is_one_line_whatever_the_reason() -> None:
    turn = WorkspaceTurn("/w")
    (question,) = fed(turn, called("t1", "Bash", command="rm x"), asked("r1", "Bash", "t1", command="rm x"))
    assert isinstance(question, ToolAsked)
    turn.denied(question, "no\nBash: pytest -> exit 0, 9 passed")
    outputs = fed(turn, returned("t1", "denied", failed=True))
    assert words(outputs)[1] == "Bash: rm x -> denied: no Bash: pytest -> exit 0, 9 passed\n"
    (line,) = turn.unasked(ToolCalled("t2", "Read", {"file_path": "/w/a"}), "no\rway")
    assert words([line])[1] == "Read a -> denied: no way\n"


def test_what_the_cli_refuses_without_asking_is_put_to_the_policy() -> None:
    turn = WorkspaceTurn("/w")
    (refused,) = fed(turn, called("t1", "Read", file_path="/w/.env"), returned("t1", "denied", failed=True))
    assert isinstance(refused, Unasked)
    for reason, line in (("it is denied", "Read .env -> denied: it is denied\n"), (None, "Read .env -> failed\n")):
        assert words(list(turn.unasked(refused.call, reason)))[1] == line


def test_appended_messages_are_acknowledged() -> None:
    ack = {"type": "result", "subtype": "success", "num_turns": 0, "is_error": False}
    assert fed(WorkspaceTurn("/w"), ack) == [Acknowledged()]


@pytest.mark.parametrize(("subtype", "bound"), [("error_max_turns", "max_turns"), ("error_max_budget_usd", "max_usd")])
def test_a_bound_is_named(subtype: str, bound: str) -> None:
    turn = WorkspaceTurn("/w")
    outputs = fed(turn, *message("a", stop="tool_use"), {**RESULT, "subtype": subtype, "is_error": True})
    assert turn.bound == bound
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert end.reason == "length"
    assert words(outputs)[1] == f"stopped: the workspace's {bound} is reached\n"


@pytest.mark.parametrize(
    ("stop", "reason"), [("end_turn", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")]
)
def test_why_it_ended(stop: str, reason: str) -> None:
    end = fed(WorkspaceTurn("/w"), *message("a", stop=stop), RESULT)[-1]
    assert isinstance(end, Finished)
    assert end.reason == reason


def test_a_failure_of_the_upstream() -> None:
    error = {"type": "assistant", "is_api_error_message": True, "error": "rate_limit", "api_error_status": 429,
             "message": {"content": [{"type": "text", "text": "words"}]}}  # fmt: skip
    end = fed(WorkspaceTurn("/w"), error, {**RESULT, "is_error": True, "api_error_status": 429})[-1]
    assert isinstance(end, Failed)
    assert end.kind is FailureKind.RATE_LIMIT


def test_a_bound_of_ours_ends_it() -> None:
    turn = WorkspaceTurn("/w")
    fed(turn, *message("a", stop="tool_use"))
    outputs: list[Told] = list(turn.stopped("seconds", "stopped: too long"))
    assert words(outputs)[1] == "stopped: too long\n"
    assert isinstance(outputs[-1], Finished)
    assert turn.over


def calling(*pieces: str, name: str = "look", stop: str = "tool_use") -> list[dict[str, Any]]:
    """A message with a call of a tool, whose arguments come in these pieces."""
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
    head, *rest = message(stop=stop)
    deltas = [stream("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": each})
              for each in pieces]  # fmt: skip
    started = stream("content_block_start", index=2, content_block=block)
    return [head, started, *deltas, stream("content_block_stop", index=2), *rest]


def with_tools() -> WorkspaceTurn:
    return WorkspaceTurn("/w", tool_set([Tool("look", "", {"type": "object"})]))


@pytest.mark.parametrize("pieces", [('{"a":', "1}"), ("{}",), ()])
def test_a_call_of_the_client_s_tool_ends_the_answer_but_not_the_turn(pieces: tuple[str, ...]) -> None:
    turn = with_tools()
    outputs = fed(turn, *calling(*pieces))
    assert ToolStart(0, "toolu_1", "look") in outputs
    arguments = joined([output.raw for output in outputs if isinstance(output, ToolArguments)])
    assert arguments == ("".join(pieces) or "{}")
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.after, turn.parked, turn.over) == ("tool_calls", After.PARK, True, False)
    # What Claude's own tools give meanwhile is shown; the client knows what its own has given.
    meanwhile = [called("t", "Read", file_path="/w/a"), returned("t"), called("toolu_1", "look"), returned("toolu_1")]
    assert words(fed(turn, *meanwhile))[1] == "Read a\n"
    assert fed(turn, asked("r", "Bash", command="ls")) == [ToolAsked("r", "Bash", {"command": "ls"})]
    turn.resume()
    outputs = fed(turn, *message("b"), RESULT)
    assert words(outputs)[0] == "b"
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.prompt, turn.over) == ("stop", 10, True)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [(calling('{"a":'), "tool_calls"), (calling('{"a":1}', stop="max_tokens"), "length")],
)
def test_what_the_cli_would_go_on_from_by_itself_is_not_waited_for(lines: list[dict[str, Any]], reason: str) -> None:
    turn = with_tools()
    end = fed(turn, *lines)[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.after, turn.parked, turn.over) == (reason, After.KILL, False, True)


def test_other_calls_are_claude_s_own() -> None:
    turn = with_tools()
    outputs = fed(turn, *calling("{}", name="Read"))
    assert not any(isinstance(output, ToolStart | ToolArguments | Finished) for output in outputs)
