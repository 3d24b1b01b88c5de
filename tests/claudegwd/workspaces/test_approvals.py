from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from claudegwd.workspaces import approvals as bounds
from claudegwd.workspaces.approvals import WAIT_SECONDS, Approval, Approvals, UnknownApproval, WantedCall

REMOVE = {"command": "rm x", "description": "Remove x"}
WANTED = WantedCall("repo", "/w", "webui", "id-1", "Bash", REMOVE)


def begin(approvals: Approvals, wanted: WantedCall = WANTED, shown: str = "Bash: rm x") -> Approval | None:
    return approvals.begin(wanted, shown=shown, why="no rule")


def begun(approvals: Approvals, wanted: WantedCall = WANTED) -> Approval:
    approval = begin(approvals, wanted)
    assert approval is not None
    return approval


async def test_a_person_approves() -> None:
    approvals = Approvals(lambda: 1.5)
    asked: list[Any] = []
    approvals.on_asked = asked.append
    approval = begun(approvals)
    assert approvals.rows() == asked == [approval.row()]
    assert asked[0] | {"id": ""} == {
        "id": "", "workspace": "repo", "directory": "/w", "client": "webui", "tool": "Bash", "shown": "Bash: rm x",
        "why": "no rule", "asked": 1.5,
    }  # fmt: skip
    approvals.approve(approval.id)
    assert await approvals.answer(approval)
    assert approvals.rows() == []
    assert begin(approvals) is not None, "once is not for good"


async def test_a_person_denies_and_says_why() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.deny(approval.id, "not on a Friday")
    assert not await approvals.answer(approval)
    assert approval.reason == "not on a Friday"


OTHERS: Mapping[str, Any] = {
    "workspace": "other", "directory": "/elsewhere", "client": "n8n", "owner": "id-2", "tool": "Write",
}  # fmt: skip


async def test_what_was_approved_for_good_is_not_asked_again() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.approve(approval.id, always=True)
    assert await approvals.answer(approval)
    assert begin(approvals) is None
    assert (
        begin(approvals, replace(WANTED, given={"description": "the same in other words", "command": "rm x"})) is None
    )
    # Only the very same call: of this client, in this place, with this input.
    for name, value in OTHERS.items():
        assert begin(approvals, replace(WANTED, **{name: value})) is not None, name
    for given in ({**REMOVE, "command": "rm  x"}, {**REMOVE, "timeout": 5}, {}):
        assert begin(approvals, replace(WANTED, given=given)) is not None


async def test_no_two_calls_have_one_digest() -> None:
    digests = {
        replace(WANTED, tool="mcp__a__b", given=given).digest
        for given in (
            {},
            {"a": 1},
            {"a": "1"},
            {"a": [1]},
            {"a": {"b": 1}},
            {"b": 1},
            {"description": "x"},
            {"a": None},
        )
    }
    assert len(digests) == 8


async def test_the_oldest_of_those_for_good_go() -> None:
    approvals = Approvals()
    wanted = [replace(WANTED, given={"command": str(number)}) for number in range(bounds.MAX_ALWAYS + 1)]
    for each in wanted:
        approval = begun(approvals, each)
        approvals.approve(approval.id, always=True)
        await approvals.answer(approval)
    assert [begin(approvals, each) is None for each in (*wanted[:2], wanted[-1])] == [False, True, True]


async def test_a_person_who_says_always_when_denying_allows_nothing() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.deny(approval.id, "always")
    assert not await approvals.answer(approval)
    assert begin(approvals) is not None


async def test_what_nobody_would_read_to_its_end_is_denied() -> None:
    approvals = Approvals()
    approval = begin(approvals, shown="x" * (bounds.MAX_CHARACTERS + 1))
    assert approval is not None
    assert not await approvals.answer(approval)
    assert "too long for a person to review" in approval.reason
    assert approvals.rows() == []


async def test_nobody_answers(autojump_clock: MockClock) -> None:
    approvals = Approvals()
    approval = begun(approvals)
    began = trio.current_time()
    assert not await approvals.answer(approval)
    assert trio.current_time() - began == pytest.approx(WAIT_SECONDS)
    assert approval.reason == "nobody answered in time"
    with pytest.raises(UnknownApproval):
        approvals.approve(approval.id)


async def test_one_answer_is_enough() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.deny(approval.id)
    with pytest.raises(UnknownApproval):
        approvals.approve(approval.id)
    assert not await approvals.answer(approval)


async def test_too_many_are_denied_at_once() -> None:
    approvals = Approvals()
    for number in range(bounds.MAX_WAITING):
        begun(approvals, replace(WANTED, owner=f"id-{number % 20}", given={"command": str(number)}))
    approval = begun(approvals, replace(WANTED, owner="one more"))
    assert not await approvals.answer(approval)
    assert len(approvals.rows()) == bounds.MAX_WAITING


async def test_one_client_leaves_room_for_others() -> None:
    approvals = Approvals()
    for number in range(bounds.MAX_WAITING_OF_CLIENT):
        begun(approvals, replace(WANTED, given={"command": str(number)}))
    assert not await approvals.answer(begun(approvals))
    other = begun(approvals, replace(WANTED, client="n8n", owner="id-2"))
    approvals.approve(other.id)
    assert await approvals.answer(other)


async def test_a_client_that_leaves_takes_its_question_along() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    with trio.CancelScope() as scope:
        scope.cancel()
        await approvals.answer(approval)
    assert approvals.rows() == []
