from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from claudegwd.workspaces.approvals import MAX_WAITING, WAIT_SECONDS, Approval, Approvals, UnknownApproval


def begin(approvals: Approvals, exact: str = "x", workspace: str = "repo") -> Approval | None:
    return approvals.begin(
        workspace=workspace, directory="/w", client="webui", tool="Bash", shown="Bash: rm x", why="no rule", exact=exact
    )


def begun(approvals: Approvals, exact: str = "x") -> Approval:
    approval = begin(approvals, exact)
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
    assert await approvals.answer(approval, "x")
    assert approvals.rows() == []
    assert begin(approvals) is not None, "once is not for good"


async def test_a_person_denies_and_says_why() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.deny(approval.id, "not on a Friday")
    assert not await approvals.answer(approval, "x")
    assert approval.reason == "not on a Friday"


async def test_what_was_approved_for_good_is_not_asked_again() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.approve(approval.id, always=True)
    assert await approvals.answer(approval, "x")
    assert begin(approvals) is None
    assert begin(approvals, "y") is not None
    assert begin(approvals, workspace="other") is not None


async def test_nobody_answers(autojump_clock: MockClock) -> None:
    approvals = Approvals()
    approval = begun(approvals)
    began = trio.current_time()
    assert not await approvals.answer(approval, "x")
    assert trio.current_time() - began == pytest.approx(WAIT_SECONDS)
    assert approval.reason == "nobody has answered in time"
    with pytest.raises(UnknownApproval):
        approvals.approve(approval.id)


async def test_one_answer_is_enough() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    approvals.deny(approval.id)
    with pytest.raises(UnknownApproval):
        approvals.approve(approval.id)
    assert not await approvals.answer(approval, "x")


async def test_too_many_are_denied_at_once() -> None:
    approvals = Approvals()
    for number in range(MAX_WAITING):
        begun(approvals, str(number))
    approval = begun(approvals, "one more")
    assert not await approvals.answer(approval, "one more")
    assert len(approvals.rows()) == MAX_WAITING


async def test_a_client_that_leaves_takes_its_question_along() -> None:
    approvals = Approvals()
    approval = begun(approvals)
    with trio.CancelScope() as scope:
        scope.cancel()
        await approvals.answer(approval, "x")
    assert approvals.rows() == []
