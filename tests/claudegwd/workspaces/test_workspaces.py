"""What waits in workspaces: until when, and until memory is short. Answers themselves: tests/e2e/test_workspaces.py."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from claudegwd.config.schema import WorkspaceConfig
from claudegwd.limits.clients import ANONYMOUS
from claudegwd.openai_api.errors import CliError, Overloaded
from claudegwd.store.sealing import Seal
from claudegwd.translate.answer.outputs import TextPiece
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.question.question import Question
from claudegwd.workspaces.cli_session import CliSession
from claudegwd.workspaces.kept_conversations import FILE_SECONDS, KeptConversation, KeptConversations
from claudegwd.workspaces.launch import PreparedProcess
from claudegwd.workspaces.question import HEARTBEAT_SECONDS, WorkspaceQuestion
from claudegwd.workspaces.session import LAST_WORD_SECONDS, WorkspaceSession
from claudegwd.workspaces.workspaces import LISTENER_SECONDS, MAX_AT_ONCE, PREPARE_SECONDS, Workspaces
from tests.pool_shop import Shop, plan, shop

NOTHING = cast(Any, None)


def home(at: Shop | None = None) -> Workspaces:
    cli = SimpleNamespace(cli=SimpleNamespace(binary=Path("/bin/true")))
    kept = KeptConversations(None, NOTHING)
    return Workspaces(at.questions if at else NOTHING, cast(Any, cli), {}, kept, lambda *_: None)


def question_of(at: Shop) -> WorkspaceQuestion:
    return WorkspaceQuestion(at.questions, plan("hello"), "req", ANONYMOUS, route="/v1/chat/completions", whole=False)


def session_of(at: Shop, workspaces: Workspaces, directory: Path) -> WorkspaceSession:
    return WorkspaceSession(workspaces, WorkspaceConfig(directory=str(directory), seconds=60), question_of(at))


def waits(at: Shop, workspaces: Workspaces, digest: bytes, *, parked: bool = False) -> WorkspaceSession:
    """A session whose process waits for its client."""
    session = session_of(at, workspaces, Path("/"))
    session.digest = digest
    session._turn.parked = parked
    workspaces.keep(session)
    return session


async def test_who_is_parked_is_given_up_last(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        workspaces = home(at)
        parked, first, second = (waits(at, workspaces, each, parked=each == b"1") for each in (b"1", b"2", b"3"))
        for ending in ([first], [first, second], [first, second, parked]):
            assert workspaces.give_up_one()
            assert [each for each in (first, second, parked) if each.is_ending] == ending
        assert not workspaces.give_up_one()


async def test_where_memory_is_short_what_is_idle_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    async with shop(tmp_path) as at:
        workspaces = home(at)
        at.pool.sweep.give_up_elsewhere = workspaces.give_up_one
        session = waits(at, workspaces, b"1")
        await at.ask(plan("hello"))
        await at.until("idle", 1)
        assert not session.is_ending
        monkeypatch.setattr("claudegwd.workers.pool.memory.SHORT_SHARE", 1.0)  # less than all of it is short
        await at.until("idle", 0)  # the pool's own go first
        with trio.fail_after(20):
            while not session.is_ending:
                await trio.sleep(0.01)


async def test_a_place_is_made_by_who_waits(tmp_path: Path) -> None:
    async with shop(tmp_path) as at, trio.open_nursery() as nursery:
        workspaces = home(at)
        workspaces.at_work = MAX_AT_ONCE
        with pytest.raises(Overloaded):
            async with workspaces.place():
                pass
        session = waits(at, workspaces, b"1")
        had = trio.Event()

        async def begin() -> None:
            async with workspaces.place():
                had.set()

        nursery.start_soon(begin)
        await trio.testing.wait_all_tasks_blocked()
        assert session.is_ending
        assert not had.is_set()
        workspaces.forget(session)
        workspaces.at_work -= 1
        session.ended.set()
        with trio.fail_after(20):
            await had.wait()


async def test_a_place_is_made_by_who_is_idle_before_who_is_parked(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        workspaces = home(at)
        workspaces.at_work = MAX_AT_ONCE
        parked, idle = waits(at, workspaces, b"1", parked=True), waits(at, workspaces, b"2")
        idle.ended.set()
        with trio.move_on_after(0.1):
            async with workspaces.place():
                pass
        assert idle.is_ending
        assert not parked.is_ending


async def test_what_runs_while_its_workspace_is_changed_does_not_wait_afterwards(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        workspaces = home(at)
        session = session_of(at, workspaces, tmp_path)
        session._turn.parked = True
        workspaces.configure({session.name: WorkspaceConfig(directory="/srv")})
        with trio.fail_after(5):
            assert not await session._is_resumed()


async def test_without_the_sandbox_that_it_requires_nothing_starts() -> None:
    workspaces = home()
    workspaces.tries = lambda: ("there are no namespaces",)
    await workspaces.check(WorkspaceConfig(directory="/srv"))
    with pytest.raises(CliError, match="cannot start this workspace without a sandbox: there are no namespaces"):
        await workspaces.check(WorkspaceConfig(directory="/srv", sandbox="required"))


@pytest.mark.parametrize(
    ("mcp", "advice"), [("", "see whether the disk is full"), ("/none", "see the workspace's `mcp`")]
)
async def test_why_the_files_of_a_process_cannot_be_written(tmp_path: Path, mcp: str, advice: str) -> None:
    workspace = WorkspaceConfig(directory=str(tmp_path), mcp=mcp)
    async with shop(tmp_path) as at:
        with pytest.raises(CliError, match=f"cannot start here: FileNotFoundError; {advice}"):
            await home(at).prepared(workspace, tmp_path / "none", "cgw-false", CliSession())


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(rate=1.0)


async def runs_out(clock: trio.testing.MockClock, bound: float, over: list[object]) -> None:
    """It is over when the bound is, and not before."""
    await trio.testing.wait_all_tasks_blocked(0.05)
    clock.jump(bound - 4)
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert over == []
    clock.jump(6)
    with trio.fail_after(20):
        while not over:
            await trio.testing.wait_all_tasks_blocked(0.01)


async def test_an_answer_that_is_silent(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path) as at, trio.open_nursery() as nursery:
        question: Question = question_of(at)
        told: list[object] = []

        async def read() -> None:
            told.append(await question.next())

        nursery.start_soon(read)
        await runs_out(clock, HEARTBEAT_SECONDS, told)
        assert told == [()]


async def test_a_process_that_gives_no_listener_away(clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    given: list[object] = []

    async def serve() -> None:
        given.append(await home().serve_from(PreparedProcess(NOTHING, ours, theirs, "")))

    with ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await runs_out(clock, LISTENER_SECONDS, given)
    assert given == [False]


async def test_a_client_that_does_not_read(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    """The answer ends at the workspace's seconds, and its last word waits a little only."""
    async with shop(tmp_path) as at, trio.open_nursery() as nursery:
        session = session_of(at, home(at), tmp_path)
        with trio.move_on_after(1) as full:
            while True:
                await session.question.take([TextPiece(b'"x"')])
        assert full.cancelled_caught
        over: list[object] = []

        async def answer() -> None:
            await session._answer(CliProcess(Launch(["/bin/true"], {}, tmp_path), session._lines))
            over.append(session.question.bound)

        nursery.start_soon(answer)
        await runs_out(clock, session.workspace.seconds + LAST_WORD_SECONDS, over)
        assert over == ["seconds"]


async def test_a_disk_that_does_not_give_what_is_kept(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    kept = KeptConversations(tmp_path, Seal(bytes(32)))
    (tmp_path / "conversations").mkdir()
    found: list[object] = []

    async def read() -> None:
        one = KeptConversation("id-1", "-srv", "shop", b"", "", "", b"", 0.0)
        found.append(await kept.read(one))

    file = tmp_path / "conversations" / "id-1"
    os.mkfifo(file)
    held = os.open(file, os.O_RDWR)  # a reader waits, for what never comes
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await runs_out(clock, FILE_SECONDS, found)
    finally:
        os.close(held)
    assert found == [None]


async def test_a_disk_that_does_not_take_the_settings(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    os.mkfifo(tmp_path / "settings.json")  # which nobody reads
    async with shop(tmp_path) as at, trio.open_nursery() as nursery:
        said: list[object] = []

        async def prepare() -> None:
            workspace = WorkspaceConfig(directory=str(tmp_path))
            try:
                await home(at).prepared(workspace, tmp_path, "cgw-false", CliSession())
            except CliError as error:
                said.append(str(error))

        nursery.start_soon(prepare)
        await runs_out(clock, PREPARE_SECONDS, said)
        assert said == ["cannot start here: a disk does not answer; try again"]
        os.close(os.open(tmp_path / "settings.json", os.O_RDONLY | os.O_NONBLOCK))
