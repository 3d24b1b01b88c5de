"""The answer of a turn, gathered from its outputs."""

from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.answer import Answer
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


def test_everything_in_one_piece() -> None:
    answer = Answer()
    finished = Finished("tool_calls", TokenCount(1, 2), After.PARK)
    answer.add([Started("claude-x"), Reasoning(b'"h"'), Reasoning(b'"m"')])
    answer.add([TextPiece(rb'"\u00e9"'), TextPiece('"é\N{GRINNING FACE}"'.encode())])
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
    failed = Failed(FailureKind.CLI, None, None, None)
    answer.add([failed])
    assert (answer.failed, answer.finished, answer.text, answer.calls) == (failed, None, "", [])


def test_what_upstream_counted_and_the_cli_reckons_is_told() -> None:
    answer = Answer()
    told: list[tuple[TokenCount, float | None]] = []
    answer.on_used = lambda: told.append((answer.counted, answer.cost))
    head, end = TokenCount(prompt=10, completion=1), TokenCount(prompt=10, completion=5)
    answer.add([Started("claude-x", head)])
    answer.add([Finished("stop", end, After.KEEP)])
    answer.spend(0.25)
    answer.spend(0.5)
    assert told == [(head, None), (end, None), (end, 0.25), (end, 0.75)]


def test_what_is_only_estimated_was_not_counted() -> None:
    answer = Answer()
    head = TokenCount(prompt=10, completion=1)
    answer.add([Started("claude-x", head), Finished("stop", TokenCount(10, 40, estimated=True), After.KILL)])
    assert answer.counted == head


def test_the_clis_own_count_replaces_an_estimate_and_nothing_else() -> None:
    estimated, reported = Answer(), Answer()
    told: list[int] = []
    estimated.on_used = lambda: told.append(estimated.counted.completion)
    for answer, usage in ((estimated, TokenCount(10, 3, estimated=True)), (reported, TokenCount(10, 3))):
        answer.add([Started("m", TokenCount(10, 1)), Finished("stop", usage, After.KEEP)])
        answer.recount(5)
        answer.recount(0)
    assert (estimated.counted, reported.counted, told) == (TokenCount(10, 5), TokenCount(10, 3), [1, 5])
