from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from claudegwd.claude_cli.limit_windows import LimitWindow
from claudegwd.gateway.news import OUTAGE_SECONDS, WATCH_SECONDS, connect, watch
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.budget import BudgetReached, read_budgets
from claudegwd.limits.spending import Spending
from claudegwd.notify.notice import Notice
from claudegwd.notify.notifications import Notifications
from claudegwd.notify.repeats import SAME_MAX
from claudegwd.store.database import Database
from claudegwd.workspaces.approvals import Approval, Approvals, WantedCall
from tests.claudegwd.notify.test_notifications import NOW, made, run, told, writing_to


async def test_what_the_parts_notice_is_told(tmp_path: Path) -> None:
    notifications = made(command=writing_to(tmp_path))
    ring = KeyRing([UpstreamKey(name, f"sk-false-{name}") for name in ("one", "two")], cooldown_seconds=60)
    spending = Spending()
    approvals = Approvals()
    connect(notifications, ring, spending, approvals)
    async with run(notifications):
        ring.windows.note("three", [LimitWindow("5h", 0.95, NOW + 60, "allowed", False)], NOW)
        ring.failed("one", FailureKind.AUTHENTICATION, NOW)
        ring.failed("two", FailureKind.BILLING, NOW)
        spending.load("day", 0.0, [])
        budgets = read_budgets("1tokens/day")
        spending.add("laptop", NOW, 0.0, 5)
        with pytest.raises(BudgetReached):
            spending.reserve("laptop", budgets, "sonnet", 1, 1, NOW)
        for workspace in ("shop", "shop", "site"):
            ask(approvals, workspace)
    # Of two questions that wait in one workspace the first is told.
    assert told(tmp_path) == ["laptop", "one", "shop", "site", "three", "two", "two"]


async def test_every_question_that_is_the_first_to_wait_is_told(tmp_path: Path) -> None:
    notifications = made(command=writing_to(tmp_path))
    approvals = Approvals()
    connect(notifications, KeyRing([], cooldown_seconds=60), Spending(), approvals)
    times = SAME_MAX + 2
    async with run(notifications):
        for _ in range(times):
            asked = ask(approvals, "shop")
            approvals.approve(asked.id)
            await approvals.answer(asked)
    assert told(tmp_path) == ["shop"] * times


def ask(approvals: Approvals, workspace: str) -> Approval:
    asked = approvals.begin(
        WantedCall(workspace, "/w", "webui", "webui", "Bash", {"command": "ls"}), shown="Bash: ls", why="no rule"
    )
    assert asked is not None
    return asked


@dataclass
class Watched:
    notifications: Notifications
    fails: bool = False
    dead: str = ""
    silent_since: float | None = None
    lacks: bool = False

    def cli_fails(self) -> bool:
        return self.fails

    def unanswered_since(self) -> float | None:
        return self.silent_since

    def lost_login(self) -> tuple[str, float | None]:
        return self.dead, None

    def lacks_credentials(self) -> bool:
        return self.lacks


async def test_what_is_looked_at_is_told_once_each_time_it_begins(tmp_path: Path, autojump_clock: object) -> None:
    seen: list[str] = []

    class Seen(Notifications):
        def tell(self, notice: Notice) -> None:
            seen.append(notice.subject)

    notifications = Seen(Database(None), {}, "gateway")
    watched = Watched(notifications)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, watched)
        for fails, dead in ((False, ""), (True, ""), (True, ""), (False, "A"), (True, "A"), (True, "B"), (False, "")):
            watched.fails, watched.dead = fails, dead
            await trio.sleep(2 * WATCH_SECONDS)
        nursery.cancel_scope.cancel()
    assert seen == ["claude", "A", "claude", "B"]


async def test_the_last_key_or_login_that_goes_is_told_and_one_that_was_never_there_is_not(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    class Seen(Notifications):
        def tell(self, notice: Notice) -> None:
            seen.append(f"{notice.event.value} {notice.subject}")

    for lacking, times in (((True, True, False), 0), ((False, True, True, False, True), 2)):
        watched = Watched(Seen(Database(None), {}, "gateway"), lacks=lacking[0])
        seen.clear()
        caplog.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, watched)
            for watched.lacks in lacking:
                await trio.sleep(2 * WATCH_SECONDS)
            nursery.cancel_scope.cancel()
        assert seen == ["keys_gone claude"] * times
        assert [record.levelname for record in caplog.records] == ["ERROR"] * times


async def test_an_outage_is_told_once_it_has_lasted(tmp_path: Path, autojump_clock: object) -> None:
    seen: list[str] = []

    class Seen(Notifications):
        def tell(self, notice: Notice) -> None:
            seen.append(notice.event.value)

    began = trio.current_time()
    watched = Watched(Seen(Database(None), {}, "gateway", clock=lambda: NOW + trio.current_time() - began))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, watched)
        watched.silent_since = NOW
        await trio.sleep(OUTAGE_SECONDS - 2 * WATCH_SECONDS)
        assert seen == []
        await trio.sleep(4 * WATCH_SECONDS)
        assert seen == ["upstream_failing"]
        watched.silent_since = None  # between two attempts, nothing is known
        await trio.sleep(2 * WATCH_SECONDS)
        watched.silent_since = NOW
        await trio.sleep(OUTAGE_SECONDS)
        assert seen == ["upstream_failing"]
        watched.silent_since = NOW + OUTAGE_SECONDS
        await trio.sleep(OUTAGE_SECONDS)
        assert seen == ["upstream_failing"] * 2
        nursery.cancel_scope.cancel()
