"""The answer of a turn, gathered from its outputs."""

from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer import Answer
from claudegwd.translate.outputs import (
    After,
    Failed,
    Finished,
    Reasoning,
    Started,
    Text,
    TokenCount,
    ToolArguments,
    ToolStart,
)


def test_everything_in_one_piece() -> None:
    answer = Answer()
    finished = Finished("tool_calls", TokenCount(1, 2), After.PARK)
    answer.add([Started("claude-x"), Reasoning(b'"h"'), Reasoning(b'"m"')])
    answer.add([Text(rb'"\u00e9"'), Text('"é\N{GRINNING FACE}"'.encode())])
    answer.add([ToolStart(0, "toolu_1", "read"), ToolArguments(0, rb'"{\"a"'), ToolStart(1, "toolu_2", "list")])
    answer.add([ToolArguments(1, b'"{}"'), ToolArguments(0, rb'"\":1}"'), finished])
    assert answer.model == "claude-x"
    assert answer.text == "éé\N{GRINNING FACE}"
    assert answer.reasoning == "hm"
    assert [(call.id, call.name, call.arguments) for call in answer.calls] == [
        ("toolu_1", "read", '{"a":1}'),
        ("toolu_2", "list", "{}"),
    ]
    assert answer.finished is finished
    assert answer.failed is None


def test_a_failure() -> None:
    answer = Answer()
    failed = Failed(FailureKind.CLI, None, None, None, streamed=False)
    answer.add([failed])
    assert (answer.failed, answer.finished, answer.text, answer.calls) == (failed, None, "", [])
