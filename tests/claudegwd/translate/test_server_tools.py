"""What is told of tools that run at the upstream."""

import json
from typing import Any

import pytest

from claudegwd.translate.answer.answer import Answer, ServerUses
from claudegwd.translate.answer.outputs import Finished, Output, ServerToolInput, ServerToolResult, ServerToolStart
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.tools import ToolSet
from claudegwd.translate.server_tools import MAX_PAGES
from tests.claudegwd.translate.upstream import arguments, block, closed, opened, whole

PAGE = {"type": "web_search_result", "url": "https://a.example/", "title": "A"}


def run(*blocks: list[Any], stop: str = "end_turn") -> list[Output]:
    turn = Turn(ToolSet((), {}))
    outputs = [output for one in whole(*blocks, stop=stop) for output in turn.feed(one)]
    return [output for output in outputs if "Server" in type(output).__name__ or isinstance(output, Finished)]


def used(ident: str, name: str, *pieces: str, **fields: Any) -> list[Any]:
    start = opened(0, "server_tool_use", id=ident, name=name, **{"input": {}, **fields})
    return [start, *(arguments(0, piece) for piece in pieces), closed(0)]


def found(content: Any, kind: str = "web_search_tool_result") -> list[Any]:
    return [opened(1, kind, tool_use_id="s1", content=content), closed(1)]


@pytest.mark.parametrize("pieces", [('{"query"', ': "x"}'), ()])
def test_a_search(pieces: tuple[str, ...]) -> None:
    search = used("s1", "web_search", *pieces, **({} if pieces else {"input": {"query": "x"}}))
    outputs = run(search, found([PAGE, {"type": "other"}, "nonsense"]), block(2, "So"))
    assert outputs[:-1] == [
        ServerToolStart("s1", "web_search"),
        ServerToolInput("s1", {"query": "x"}),
        ServerToolResult("s1", ("https://a.example/",), failed=False),
    ]


@pytest.mark.parametrize(
    ("content", "pages", "failed"),
    [
        ({"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}, 0, True),
        ([PAGE] * (MAX_PAGES + 1), MAX_PAGES, False),
        (None, 0, False),
        ("text", 0, False),
    ],
)
def test_results_of_all_kinds(content: Any, pages: int, failed: bool) -> None:
    (told,) = [one for one in run(found(content)) if isinstance(one, ServerToolResult)]
    assert (len(told.pages), told.failed) == (pages, failed)


def test_a_turn_that_pauses_is_a_cut_one() -> None:
    last = run(used("s1", "web_search"), stop="pause_turn")[-1]
    assert isinstance(last, Finished)
    assert last.reason == "length"


def test_uses_are_counted_by_family_as_they_come() -> None:
    answer, told = Answer(), []
    answer.on_used = lambda: told.append(json.dumps(str(answer.used)))
    names = ["web_search", "web_search", "web_fetch", "bash_code_execution", "code_execution", "advisor"]
    for name in names:
        answer.add([ServerToolStart("s", name)])
    assert answer.used == ServerUses(2, 1, 2)
    assert len(told) == len(names)
