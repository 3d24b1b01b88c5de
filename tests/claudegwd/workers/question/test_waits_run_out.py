"""Each wait of a request runs out at its bound, and not before: on a clock that can be set forward.

Between two jumps that clock goes as the real one does, so that the fake CLI has its time.
"""

import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from claudegwd.config.schema import LimitsConfig
from claudegwd.keys.failures import BACKOFF_MAX_SECONDS, UNAVAILABLE_RETRIES, FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.openai_api.errors import (
    AnswerUnread,
    GatewayError,
    Overloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from claudegwd.public.background import CANCEL_SECONDS, cancel
from claudegwd.public.choice import Choice
from claudegwd.public.mixing import mixed_outputs
from claudegwd.public.reply import HEARTBEAT_SECONDS
from claudegwd.store.database import BUSY_SECONDS, Database
from claudegwd.store.running_responses import RunningResponse
from claudegwd.workers.pool.pool import SETTLING_SECONDS
from claudegwd.workers.pool.sweep import BETWEEN_EVENTS_SECONDS, UNREAD_SECONDS
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import FIRST_EVENT_SECONDS, Timing
from claudegwd.workers.question.waits import WAITS
from claudegwd.workers.worker.states import ACKNOWLEDGE_SECONDS, SETTLE_SECONDS, START_SECONDS
from tests.pool_shop import Shop, plan, read_to_the_end, shop

PATIENCE_SECONDS = 20.0  # real ones
# The same for what is due at once, and so little that no other bound is reached with it.
SOON_SECONDS = 10.0
# How far before its bound a wait is looked at, and how far behind it: what may really pass on a busy machine meanwhile.
BEFORE, BEHIND = 4.0, 2.0
# Longer than any other bound, where that one is not what is looked at.
ENDLESS = Timing(hold=20, request=10_000)
LIMITS = LimitsConfig(request_seconds=10_000, queue_seconds=30)
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
# Milliseconds, and deltas, that no test waits for.
FOR_EVER, UNENDING = 100_000_000, 500_000


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(rate=1.0)


async def really(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait in real time until it holds, whatever the clock of the test says."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        await trio.to_thread.run_sync(time.sleep, 0.005)


class Running:
    """A question, read to its end in a task of its own."""

    def __init__(self, at: Shop, nursery: trio.Nursery, *texts: str, **more: object) -> None:
        self.question: Question = at.questions.ask(plan(*texts, **more), "req")  # type: ignore[arg-type]
        self.error: GatewayError | None = None
        self.over = False
        nursery.start_soon(self._read)

    async def _read(self) -> None:
        try:
            await self.question.first()
            await read_to_the_end(self.question)
        except GatewayError as error:
            self.error = error
        self.question.close()
        self.over = True


async def runs_out(clock: trio.testing.MockClock, bound: float, over: Callable[[], bool]) -> None:
    """It is over when the bound is, and not before."""
    await trio.testing.wait_all_tasks_blocked(0.05)
    clock.jump(bound - BEFORE)
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert not over()
    clock.jump(BEFORE + BEHIND)
    await really(over, SOON_SECONDS)


async def test_the_queue(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    workers = {"max": 1}
    async with (
        shop(tmp_path, limits=LIMITS, timing=ENDLESS, workers=workers, hang="streaming") as at,
        trio.open_nursery() as nursery,
    ):
        held = at.questions.ask(plan("first"), "req")
        await held.first()
        waiting = Running(at, nursery, "second")
        await really(lambda: at.pool.queued == 1)
        await runs_out(clock, LIMITS.queue_seconds, lambda: waiting.over)
        assert isinstance(waiting.error, Overloaded)
        held.close()


async def test_a_worker_that_does_not_settle(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with (
        shop(tmp_path, limits=LIMITS, timing=ENDLESS, workers={"max": 2}, hang="result") as at,
        trio.open_nursery() as nursery,
    ):
        first = Running(at, nursery, "hello")
        await really(lambda: first.over)
        assert at.pool.roster.counts()["settling"] == 1
        clock.jump(SETTLE_SECONDS - BEFORE)
        began = trio.current_time()
        second = Running(at, nursery, "hello", first.question.answer.text, "and?")
        await really(lambda: second.question.how != "")
        assert second.question.how == "cold"
        assert trio.current_time() - began < SETTLING_SECONDS + BEHIND
        clock.jump(BEFORE + BEHIND)
        await really(lambda: at.pool.roster.counts()["settling"] == 0, SOON_SECONDS)


async def test_a_key_that_cools(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    key = UpstreamKey("one", "sk-false-good-key-0001")
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, keys=[key], clock=trio.current_time) as at:
        cooling = partial(at.questions.ring.failed, "one", FailureKind.RATE_LIMIT, trio.current_time())
        cooling(reset_at=trio.current_time() + ENDLESS.hold - 1)
        async with trio.open_nursery() as nursery:
            held = Running(at, nursery, "hello")
            await runs_out(clock, ENDLESS.hold - 1, lambda: held.over)
            assert held.error is None
            cooling(reset_at=trio.current_time() + ENDLESS.hold + 5)
            refused = Running(at, nursery, "hello")
            await really(lambda: refused.over)
            assert refused.error is not None
            assert refused.error.status == 429


async def test_the_pause_before_an_overloaded_upstream_is_asked_again(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    key = UpstreamKey("one", "sk-false-fail-529")
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, keys=[key]) as at, trio.open_nursery() as nursery:
        asked = Running(at, nursery, "hello")
        for attempt in range(1, UNAVAILABLE_RETRIES + 1):
            await really(lambda attempt=attempt: at.questions.failures.get("unavailable") == attempt)  # type: ignore[misc]
            clock.jump(BACKOFF_MAX_SECONDS)
        await really(lambda: asked.over)
        assert isinstance(asked.error, UpstreamUnavailable)
        assert asked.question.attempts.count == 1 + UNAVAILABLE_RETRIES


async def given_up(
    at: Shop, clock: trio.testing.MockClock, bound: float, marker: Path, begin: Callable[[trio.Nursery], Running]
) -> None:
    """The first process hangs, and is given up at the bound for another one, which answers."""
    async with trio.open_nursery() as nursery:
        asked = begin(nursery)
        await really(marker.exists)
        await runs_out(clock, bound, lambda: asked.question.attempts.count > 1)
        await really(lambda: asked.over)
        assert (asked.error, asked.question.attempts.count) == (None, 2)


async def test_a_message_of_the_history(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    marker = tmp_path / "once"
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, hang="append", once=str(marker)) as at:
        said = (await at.ask(plan("hello"))).answer.text
        await at.until("idle", 1)
        texts = ("hello", said, "more", "said elsewhere", "and?")
        await given_up(at, clock, ACKNOWLEDGE_SECONDS, marker, lambda nursery: Running(at, nursery, *texts))


async def test_going_back(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    marker = tmp_path / "once"
    workers = {"max": 1}
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, workers=workers, hang="rewind", once=str(marker)) as at:
        await at.ask(plan("hello"))
        await at.until("idle", 1)
        await given_up(at, clock, SETTLE_SECONDS, marker, lambda nursery: Running(at, nursery, "another one"))


async def test_a_parked_turn_that_is_given_up(
    tmp_path: Path, clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.pool.PARK_GRACE_SECONDS", 0.0)
    marker = tmp_path / "once"
    workers = {"max": 1}
    async with shop(
        tmp_path, limits=LIMITS, timing=ENDLESS, workers=workers, hang="interrupt", once=str(marker), calls=1
    ) as at:
        await at.ask(plan("hello", tools=TOOLS))
        await at.until("parked", 1)
        begin = partial(Running, at)
        await given_up(at, clock, SETTLE_SECONDS, marker, lambda nursery: begin(nursery, "another one", tools=TOOLS))


@pytest.mark.parametrize(
    ("state", "bound"),
    [("start", START_SECONDS), ("settings", ACKNOWLEDGE_SECONDS), ("ask", FIRST_EVENT_SECONDS)],
)
async def test_the_first_word_and_the_first_event(
    tmp_path: Path, clock: trio.testing.MockClock, state: str, bound: float
) -> None:
    marker = tmp_path / "once"
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, hang=state, once=str(marker)) as at:
        await given_up(at, clock, bound, marker, lambda nursery: Running(at, nursery, "hello"))


async def is_silent(at: Shop, clock: trio.testing.MockClock, bound: float, begun: Callable[[Question], bool]) -> None:
    """What has begun and falls silent ends at the bound, in words."""
    async with trio.open_nursery() as nursery:
        asked = Running(at, nursery, "hello")
        await really(lambda: begun(asked.question))
        await runs_out(clock, bound, lambda: asked.over)
        assert isinstance(asked.error, UpstreamTimeout)
        assert asked.question.attempts.count == 1
        await at.until("busy", 0)


def hears_upstream(at: Shop) -> bool:
    return any(worker.turn.hears_upstream for worker in at.pool.roster)


async def test_what_is_thought_between_the_start_and_the_first_token(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, think=FOR_EVER) as at:
        await is_silent(at, clock, BETWEEN_EVENTS_SECONDS, lambda _: hears_upstream(at))


async def test_the_next_outputs(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, hang="streaming") as at:
        await is_silent(at, clock, BETWEEN_EVENTS_SECONDS, lambda question: question.first_at is not None)


async def test_a_silent_answer_tells_its_reader_so(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, hang="streaming") as at, trio.open_nursery() as nursery:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        told: list[bool] = []

        async def read() -> None:
            while (outputs := await question.next()) is not None:
                told.append(bool(outputs))

        nursery.start_soon(read)
        await runs_out(clock, HEARTBEAT_SECONDS, lambda: False in told)
        nursery.cancel_scope.cancel()
        question.close()


@pytest.mark.parametrize(("state", "begun"), [("ask", False), ("streaming", True)])
async def test_the_whole_of_it(tmp_path: Path, clock: trio.testing.MockClock, state: str, begun: bool) -> None:
    limits, timing = LimitsConfig(request_seconds=60), Timing(hold=20, request=60)
    marker = tmp_path / "once"
    async with shop(tmp_path, limits=limits, timing=timing, hang=state, once=str(marker)) as at:
        await is_silent(
            at, clock, limits.request_seconds,
            lambda question: marker.exists() and (question.first_at is not None) is begun,
        )  # fmt: skip


def is_unread(at: Shop, count: int) -> Callable[[], bool]:
    """Whether so many CLIs have to wait for who reads their answers."""
    return lambda: sum(worker.hearing.unread_for() > 0 for worker in at.pool.roster) == count


async def test_a_client_that_does_not_read(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, deltas=UNENDING) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        await really(is_unread(at, 1))
        await runs_out(clock, UNREAD_SECONDS, lambda: at.pool.roster.counts()["busy"] == 0)
        with pytest.raises(AnswerUnread):
            await read_to_the_end(question)
        question.close()


def choices(at: Shop) -> list[Choice]:
    return [Choice(partial(at.questions.ask, request_id="req"), plan("hello")) for _ in range(2)]


async def test_several_choices_that_say_nothing(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, hang="streaming") as at:
        both = choices(at)
        told: list[bool] = []

        async def read() -> None:
            async for _, outputs in mixed_outputs(both, HEARTBEAT_SECONDS):
                told.append(bool(outputs))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await really(lambda: all(choice.question.first_at is not None for choice in both))
            await runs_out(clock, HEARTBEAT_SECONDS, lambda: False in told)
            nursery.cancel_scope.cancel()
        for choice in both:
            choice.close()


async def test_several_choices_that_nobody_reads(tmp_path: Path, clock: trio.testing.MockClock) -> None:
    async with shop(tmp_path, limits=LIMITS, timing=ENDLESS, deltas=UNENDING) as at:
        both = choices(at)
        mixed = mixed_outputs(both, HEARTBEAT_SECONDS)
        await anext(mixed)
        await really(is_unread(at, 2))
        await runs_out(clock, UNREAD_SECONDS, lambda: at.pool.roster.counts()["busy"] == 0)
        with pytest.raises(AnswerUnread):
            async for _ in mixed:
                pass
        for choice in both:
            choice.close()


async def test_a_response_that_is_cancelled(clock: trio.testing.MockClock) -> None:
    running = RunningResponse(lambda: b"{}", lambda: None)  # which does not end by that
    ended: list[bool] = []

    async def cancelled() -> None:
        await cancel(running)
        ended.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancelled)
        await runs_out(clock, CANCEL_SECONDS, lambda: bool(ended))


async def test_a_state_file_that_another_process_holds(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    with closing(database), closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await database.run(lambda connection: connection.execute("SELECT 1"))
        assert BUSY_SECONDS - 0.5 <= time.monotonic() - began < BUSY_SECONDS + SOON_SECONDS


BODIES = "claudegwd/public/test_bodies.py"
SOCKET = "e2e/test_websocket.py"
FETCH = "claudegwd/fetching/test_fetch.py"
FOLLOWED = "claudegwd/store/test_running_responses.py"
SERVING = "claudegwd/servers/test_serving.py"
SHARED = "claudegwd/shared/test_connection.py"
IN_WORKSPACES = "claudegwd/workspaces/test_workspaces.py"
STREAMS = "e2e/test_streaming.py"
# Where each place runs out: a test above, or in another file, under tests/.
TESTS: dict[str, tuple[Callable[..., Awaitable[None]], ...] | str] = {
    "waiters.Waiters._given": (test_the_queue,),
    "pool.Pool._until_settled": (test_a_worker_that_does_not_settle,),
    "question.Question._choose_key": (test_a_key_that_cools,),
    "question.Question._next_step": (test_the_pause_before_an_overloaded_upstream_is_asked_again,),
    "held_conversation.HeldConversation.append": (test_a_message_of_the_history,),
    "current_turn.CurrentTurn.until_settled": (test_a_parked_turn_that_is_given_up,),
    "pending_commands.PendingCommands.answer": (test_going_back,),
    "question.Question._receive_soon": (
        test_the_first_word_and_the_first_event,
        test_what_is_thought_between_the_start_and_the_first_token,
    ),
    "question.Question.first": (test_the_whole_of_it,),
    "question.Question.next": (test_the_next_outputs, test_the_whole_of_it),
    "output_channel.OutputReceiver.receive": (test_the_next_outputs,),
    "output_channel.OutputSender.deliver": (test_a_client_that_does_not_read,),
    "mixing.mixed_outputs": (test_several_choices_that_say_nothing,),
    "reply.Reply.events": f"{STREAMS}: test_no_silence_is_longer_than_a_heartbeat_also_before_the_first_token",
    "mixing._feed": (test_several_choices_that_nobody_reads,),
    "running_responses.RunningResponse.until_ended": (test_a_response_that_is_cancelled,),
    "running_responses.RunningResponse.follow": f"{FOLLOWED}: test_readers_wait_for_what_comes",
    "database.Database.run": (test_a_state_file_that_another_process_holds,),
    "connection.StoreConnection.call": f"{SHARED}: test_a_late_answer_is_not_taken_for_the_next_one",
    "connection.StoreConnection._send": f"{SHARED}: test_the_calls_that_wait_are_bounded",
    "responses_socket.ResponsesSocket._answer_all": f"{SOCKET}: test_who_waits_behind_one_that_hangs_has_its_turn",
    "responses_socket.ResponsesSocket._write": f"{SERVING}: test_a_client_that_reads_nothing_is_let_go_of",
    "serving.Server._request": f"{SERVING}: "
    "test_of_many_requests_at_once_one_begins_in_each_round_and_an_urgent_one_passes",
    "fetch.Fetcher._connect": f"{FETCH}: test_a_silent_server_is_given_up",
    "bodies.RequestBody.piece": f"{BODIES}: test_a_body_that_comes_slowly_is_cut_off",
    "bodies.RequestBody.discard": f"{BODIES}: test_what_is_thrown_away_is_bounded_in_bytes_and_in_time",
    "fetch._connected": f"{FETCH}: test_an_address_that_does_not_answer_is_passed_over",
    "fetch.Fetcher._get": f"{FETCH}: test_a_silent_server_is_given_up",
    "exchange.Exchange.send": f"{FETCH}: test_a_silent_server_is_given_up",
    "exchange.Exchange.event": f"{FETCH}: test_a_silent_server_is_given_up",
    "serving._Connection._write_in_time": f"{SERVING}: test_a_client_that_reads_nothing_is_let_go_of",
    "question.WorkspaceQuestion.next": f"{IN_WORKSPACES}: test_an_answer_that_is_silent",
    "question.WorkspaceQuestion.take": f"{IN_WORKSPACES}: test_a_client_that_does_not_read",
    "session.WorkspaceSession._answer": f"{IN_WORKSPACES}: test_a_client_that_does_not_read",
    "workspaces.Workspaces.missing": "claudegwd/workspaces/test_probe.py: test_a_trial_that_hangs_is_given_up",
    "workspaces.Workspaces.place": f"{IN_WORKSPACES}: test_a_place_is_made_by_who_waits",
    "workspaces.Workspaces.prepared": f"{IN_WORKSPACES}: test_a_disk_that_does_not_take_the_settings",
    "workspaces.Workspaces.serve_from": f"{IN_WORKSPACES}: test_a_process_that_gives_no_listener_away",
    "permissions.Permissions.refusal": "claudegwd/workspaces/test_permissions.py: test_few_calls_wait_at_once",
    "permissions.Permissions._verdict": "claudegwd/workspaces/test_permissions.py: test_nobody_waits_for_a_slow_disk",
    "approvals.Approvals.answer": "claudegwd/workspaces/test_approvals.py: test_nobody_answers",
    "kept_conversations.KeptConversations.read": f"{IN_WORKSPACES}: test_a_disk_that_does_not_give_what_is_kept",
    "kept_conversations.KeptConversations._remove": f"{IN_WORKSPACES}: test_a_disk_that_does_not_give_what_is_kept",
}


def test_every_wait_runs_out_somewhere() -> None:
    assert TESTS.keys() == {wait.place for wait in WAITS}
    root = Path(__file__).parents[3]
    for place, where in TESTS.items():
        if isinstance(where, str):
            file, name = where.split(": ")
            assert f"async def {name}(" in (root / file).read_text("utf-8"), place
