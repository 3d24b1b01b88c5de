"""The pool over the fake CLI: how workers are had, kept, shared, given up and replaced."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from claudegwd.config.schema import LimitsConfig
from claudegwd.keys.addresses import DOWN_AFTER, DOWN_SECONDS
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.openai_api.errors import CliError, GatewayError, Overloaded, ShuttingDown
from claudegwd.translate.answer.turn import Finished
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.carriers.replay import replay
from claudegwd.workers.pool.lease import Lease
from claudegwd.workers.pool.starts import MAX_FAILED_STARTS
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import Timing
from claudegwd.workers.worker.life import WorkerLost
from claudegwd.workers.worker.states import WorkerState
from tests.pool_shop import plan, read_to_the_end, shop


async def test_a_conversation_goes_on_in_its_worker(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        first = await at.ask(plan("hello"))
        said = first.answer.text
        assert said
        second = await at.ask(plan("hello", said, "and?"))
        assert (first.how, second.how) == ("cold", "continued")
        await at.until("idle", 1)  # it settles first


async def test_an_edited_history_gets_another_worker(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        said = (await at.ask(plan("hello"))).answer.text
        assert (await at.ask(plan("hello", said + "!", "and?"))).how == "cold"
        assert (await at.ask(plan("HELLO", said, "and?"))).how == "cold"


async def test_two_clients_never_share(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        said = (await at.ask(plan("hello"))).answer.text
        assert (await at.ask(plan("hello", said, "and?", client="b"))).how == "cold"
        assert (await at.ask(plan("something else", client="c"))).how == "cold"


async def test_a_spare_is_made_ready_and_used(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"spares": 1}) as at:
        await at.until("spare", 1)
        assert (await at.ask(plan("hello"))).how == "spare"
        await at.until("spare", 1)


async def test_one_taken_in_a_warm_up_that_never_ends_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.worker.warm_up.WARM_UP_SECONDS", 0.5)
    marker = tmp_path / "once"
    async with shop(tmp_path, workers={"spares": 1}, hang="warm_up", once=str(marker)) as at:
        with trio.fail_after(20):
            while not marker.exists():
                await trio.sleep(0.005)
        question = await at.ask(plan("hello"))
        assert (question.how, question.attempts.count) == ("cold", 2)
        await at.until("spare", 1)
        assert (await at.ask(plan("something else"))).how == "spare"


async def test_spares_go_without_a_warm_up_once_one_was_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.worker.warm_up.WARM_UP_SECONDS", 0.5)
    async with shop(tmp_path, workers={"spares": 1}, hang="warm_up") as at:
        await at.until("spare", 1)
        assert (await at.ask(plan("hello"))).how == "spare"


async def test_idle_conversations_leave_room_for_a_spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.spares.ROOM_SECONDS", 0.0)
    async with shop(tmp_path, workers={"spares": 1, "max": 3}) as at:
        for number in range(4):
            await at.until("spare", 1)
            assert (await at.ask(plan(f"conversation {number}"))).how == "spare"
        await at.until("spare", 1)
        assert at.pool.roster.counts()["idle"] == 2


async def test_the_only_conversation_is_not_given_up_for_a_spare(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"spares": 1, "max": 1}) as at:
        said = (await at.ask(plan("hello"))).answer.text
        await at.until("idle", 1)
        assert (await at.ask(plan("hello", said, "and?"))).how == "continued"


async def test_whole_requests_are_served_by_one_process_for_each_client_and_system_prompt(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True, echo=1) as at:
        for text in ("one", "two", "three"):
            question = await at.ask(plan("said before", "so it was", text))
            assert (question.how, question.answer.text) == ("cold" if text == "one" else "warm", text)
            await at.until("idle", 1)
        system = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "four"}]
        assert (await at.ask(plan("", messages=system))).how == "cold"
        assert (await at.ask(plan("five", client="b"))).how == "cold"


async def test_one_that_is_worn_out_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.pool.MAX_USES", 2)
    async with shop(tmp_path, whole=True) as at:
        hows = []
        for number in range(4):
            hows.append((await at.ask(plan(str(number)))).how)
            await at.until("settling", 0)
        assert hows == ["cold", "warm", "cold", "warm"]


async def test_one_that_has_grown_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.pool.MAX_RSS_BYTES", 1)
    async with shop(tmp_path, whole=True) as at:
        for number in range(2):
            assert (await at.ask(plan(str(number)))).how == "cold"
            await at.until("settling", 0)


async def test_where_memory_is_short_who_is_idle_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    async with shop(tmp_path) as at:
        for client in ("a", "b"):
            await at.ask(plan("hello", client=client))
        await at.until("idle", 2)
        monkeypatch.setattr("claudegwd.workers.pool.memory.SHORT_SHARE", 1.0)  # less than all of it is short
        await at.until("idle", 0)


async def test_over_a_lowered_bound_who_is_idle_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    async with shop(tmp_path) as at:
        said = {client: (await at.ask(plan("hello", client=client))).answer.text for client in "abc"}
        await at.until("idle", 3)
        at.pool.configure(msgspec.structs.replace(at.pool.workers_config, max=1), LimitsConfig())
        await at.until("idle", 1)
        assert (await at.ask(plan("hello", said["c"], "and?", client="c"))).how == "continued"


async def test_parked_time_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    async with shop(tmp_path, workers={"parked_seconds": 0.1, "idle_seconds": 1000}, calls=1) as at:
        await at.ask(plan("hello", tools=tools))
        await at.until("parked", 0)
        assert at.pool.roster.counts()["idle"] == 0


async def test_at_the_bound_one_goes_back_to_its_beginning(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"max": 1}, echo=1) as at:
        for text in ("one", "two"):
            question = await at.ask(plan(text))
            assert (question.how, question.answer.text) == ("cold" if text == "one" else "rewound", text)
            await at.until("idle", 1)


async def test_a_client_that_leaves_costs_no_process(tmp_path: Path) -> None:
    async with shop(tmp_path, gap=50, deltas=50) as at:
        said = at.questions.ask(plan("hello"), "req")
        await said.first()
        said.close()
        await at.until("idle", 1)
        assert (await at.ask(plan("hello again"))).how == "rewound"
        await at.until("idle", 1)


async def test_the_idle_one_used_longest_ago_makes_room(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"max": 2}) as at:
        old = await at.ask(plan("old"))
        new = await at.ask(plan("new"))
        await at.until("idle", 2)
        await at.ask(plan("third"))
        assert (await at.ask(plan("new", new.answer.text, "go on"))).how == "continued"
        assert (await at.ask(plan("old", old.answer.text, "go on"))).how == "rewound"


async def test_who_waits_is_served_and_too_many_are_refused(tmp_path: Path) -> None:
    limits = LimitsConfig(queue=1, queue_seconds=20)
    async with shop(tmp_path, limits=limits, workers={"max": 1}, gap=100, deltas=5) as at:
        done: list[str] = []

        async def one(name: str) -> None:
            await at.ask(plan(name))
            done.append(name)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "first")
            await at.until("busy", 1)
            nursery.start_soon(one, "second")
            with trio.fail_after(10):
                while not at.pool.queued:
                    await trio.sleep(0.005)
            with pytest.raises(Overloaded, match="queue is full") as caught:
                await at.ask(plan("third"))
            assert caught.value.retry_after
        assert done == ["first", "second"]


async def test_waiting_too_long_is_refused(tmp_path: Path) -> None:
    limits = LimitsConfig(queue=5, queue_seconds=0.1)
    async with shop(tmp_path, limits=limits, workers={"max": 1}, hang="streaming") as at:
        held = at.questions.ask(plan("first"), "req")
        await held.first()
        with pytest.raises(Overloaded, match="all workers are busy"):
            await at.ask(plan("second"))
        held.close()
        await at.until("busy", 0)


async def test_draining_tells_who_waits_and_who_comes(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"max": 1}, hang="streaming") as at:
        held = at.questions.ask(plan("first"), "req")
        await held.first()
        waiting = at.questions.ask(plan("second"), "req")
        with trio.fail_after(10):
            while not at.pool.queued:
                await trio.sleep(0.005)
        at.pool.drain()
        with pytest.raises(ShuttingDown):
            await waiting.first()
        with pytest.raises(ShuttingDown):
            await at.ask(plan("third"))
        held.close()


@pytest.mark.parametrize("fault", ["crash", "nonsense", "huge"])
@pytest.mark.parametrize("state", ["initialize", "settings", "ask", "message"])
async def test_a_fault_before_the_first_token_is_tried_once_more(tmp_path: Path, fault: str, state: str) -> None:
    marker = tmp_path / "once"
    async with shop(tmp_path, **{fault: state, "once": str(marker)}) as at:
        question = await at.ask(plan("hello"))
        assert question.answer.finished is not None
        assert question.attempts.count == 2


async def test_a_fault_that_stays_is_an_error_after_two_tries(tmp_path: Path) -> None:
    async with shop(tmp_path, crash="ask") as at:
        with pytest.raises(CliError):
            await at.ask(plan("hello"))
        assert sum(at.pool.roster.exits.values()) >= 1


async def test_nothing_is_tried_again_after_the_first_token(tmp_path: Path) -> None:
    async with shop(tmp_path, crash="streaming") as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        with trio.fail_after(10), pytest.raises(GatewayError):
            await read_to_the_end(question)
        assert question.attempts.count == 1
        question.close()


async def test_a_hung_cli_is_replaced_and_then_given_up(tmp_path: Path) -> None:
    timing = Timing(hold=1, request=30, first_event=0.5)
    async with shop(tmp_path, timing=timing, hang="ask") as at:
        with pytest.raises(GatewayError) as caught:
            await at.ask(plan("hello"))
        assert caught.value.status == 504


async def test_a_silent_upstream_is_not_asked_again_if_there_is_another(tmp_path: Path) -> None:
    keys = [UpstreamKey("a", "sk-false-1", "https://relay.example"), UpstreamKey("b", "sk-false-2")]
    timing = Timing(hold=1, request=30, first_event=0.5)
    marker = tmp_path / "once"
    async with shop(tmp_path, timing=timing, keys=keys, hang="ask", once=str(marker)) as at:
        question = await at.ask(plan("hello"))
        assert (question.key, question.attempts.count) == ("b", 2)


async def test_one_request_tries_an_upstream_that_did_not_answer(tmp_path: Path) -> None:
    now = 1000.0
    keys = [UpstreamKey("a", "sk-false-fail-529", "https://relay.example"), UpstreamKey("b", "sk-false-2")]
    async with shop(tmp_path, keys=keys, clock=lambda: now, whole=True, gap=20) as at:
        for number in range(DOWN_AFTER):
            asked = at.questions.ask(plan("hello"), f"early {number}")
            await asked.first()
            asked.close()
        assert at.questions.failures == {"unavailable": DOWN_AFTER}
        now += DOWN_SECONDS
        late = [at.questions.ask(plan("hello"), f"late {number}") for number in range(3)]
        for question in late:
            await question.first()
        assert [question.key for question in late] == ["b"] * 3
        assert at.questions.failures == {"unavailable": DOWN_AFTER + 1}
        for question in late:
            question.close()


async def test_an_upstream_that_has_begun_may_think(tmp_path: Path) -> None:
    timing = Timing(hold=1, request=30, first_event=0.4, between_events=20)
    async with shop(tmp_path, timing=timing, think=1500) as at:
        question = await at.ask(plan("hello"))
        assert (question.attempts.count, question.answer.finished is not None) == (1, True)


async def test_an_upstream_that_gives_signs_of_life_may_take_its_time_to_begin(tmp_path: Path) -> None:
    timing = Timing(hold=1, request=30, first_event=0.8)
    async with shop(tmp_path, timing=timing, signs=2000) as at:
        question = await at.ask(plan("hello"))
        assert (question.attempts.count, question.answer.finished is not None) == (1, True)


async def test_one_that_has_begun_and_falls_silent_is_not_paid_twice(tmp_path: Path) -> None:
    timing = Timing(hold=1, request=30, first_event=20, between_events=0.4)
    async with shop(tmp_path, timing=timing, think=20_000) as at:
        question = at.questions.ask(plan("hello"), "req")
        with pytest.raises(GatewayError) as caught:
            await question.first()
        assert (caught.value.status, question.attempts.count) == (504, 1)
        question.close()


@pytest.mark.parametrize("hang", ["initialize", "settings"])
async def test_a_cli_that_does_not_answer_is_not_the_upstreams_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: str
) -> None:
    monkeypatch.setattr("claudegwd.workers.worker.hearing.START_SECONDS", 1.0)
    monkeypatch.setattr("claudegwd.workers.worker.hearing.ACKNOWLEDGE_SECONDS", 0.5)
    async with shop(tmp_path, hang=hang, once=str(tmp_path / "once")) as at:
        question = await at.ask(plan("hello"))
        assert question.attempts.spent == {FailureKind.CLI: 1}
        assert at.questions.failures == {"cli": 1}


async def test_a_spare_that_hangs_in_its_start_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "claudegwd.workers.pool.sweep.START_SECONDS", 5.0
    )  # a healthy one has to start in time, also on a busy machine
    monkeypatch.setattr("claudegwd.workers.pool.pool.OVERDUE_START_SECONDS", 0.1)
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.1)
    async with shop(tmp_path, workers={"spares": 1}, hang="start", once=str(tmp_path / "once")) as at:
        with trio.fail_after(20):
            while not (tmp_path / "once").exists():
                await trio.sleep(0.01)
        await trio.sleep(0.2)
        assert (await at.ask(plan("hello"))).attempts.count == 1  # not by the one that hangs
        with trio.fail_after(20):
            while not at.pool.roster.exits.get("start"):
                await trio.sleep(0.01)


async def test_a_whole_answer_is_asked_again_when_it_breaks_off(tmp_path: Path) -> None:
    async with shop(tmp_path, crash="streaming", once=str(tmp_path / "once")) as at:
        question = at.questions.ask(plan("hello"), "req", whole=True)
        outputs = await question.first()
        assert isinstance(outputs[-1], Finished)
        assert (question.attempts.count, question.answer.text) == (2, "".join(f"{n:8d}" for n in range(3)))
        question.close()


async def test_a_whole_answer_needs_nobody_to_read_along(tmp_path: Path) -> None:
    async with shop(tmp_path, deltas=20_000) as at:
        first, second = (at.questions.ask(plan(text), "req", whole=True) for text in ("one", "two"))
        with trio.fail_after(20):
            while at.pool.roster.counts()["idle"] != 2:
                await trio.sleep(0.01)
        for question in (first, second):
            assert isinstance((await question.first())[-1], Finished)
            question.close()


async def test_a_stream_that_nobody_reads_has_a_bound_and_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.UNREAD_SECONDS", 2.5)
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.1)
    async with shop(tmp_path, deltas=200_000) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()  # on a busy machine that takes its time
        monkeypatch.setattr(
            "claudegwd.workers.pool.sweep.BETWEEN_EVENTS_SECONDS", 1.0
        )  # being unread is not being silent
        await at.until("busy", 0)
        with pytest.raises(GatewayError) as caught:
            await read_to_the_end(question)
        assert (caught.value.status, caught.value.code, at.questions.failures) == (408, "answer_unread", {})
        question.close()


async def test_who_was_given_a_worker_that_died_keeps_its_place(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"max": 1}, gap=20, deltas=10) as at:
        question = at.questions.ask(plan("first"), "req")
        await question.first()
        waiting = at.questions.ask(plan("second"), "req")
        with trio.fail_after(10):
            while not at.pool.queued:
                await trio.sleep(0.005)
        give, given = at.pool.waiters._given, []

        async def given_a_dead_one(waiter: Any) -> None:
            """The worker ends between being given and its borrower waking up, the first time."""
            await waiter.given.wait()
            if not given:
                given.append(waiter.lease.worker)
                waiter.lease.worker.life.close(now=True)
            await give(waiter)

        at.pool.waiters._given = given_a_dead_one  # type: ignore[method-assign]
        waiting_too = at.questions.ask(plan("third"), "req")
        await read_to_the_end(question)
        question.close()
        for each in (waiting, waiting_too):
            await each.first()
            await read_to_the_end(each)
            each.close()
            assert each.attempts.count == 1


async def test_processes_that_do_not_start_are_not_started_in_a_loop(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"spares": 2, "max": 4}, crash="start") as at:
        with trio.fail_after(20):
            while at.pool.roster.starts.failed < 3 or at.pool.roster.counts()["starting"]:  # else it waits for that one
                await trio.sleep(0.01)
        said = ""
        with trio.fail_after(20):
            while "does not start" not in said:  # on a busy machine it may be the one try after a pause
                with pytest.raises(CliError) as refused:
                    await at.ask(plan("hello"))
                said = str(refused.value)
        assert at.pool.roster.starts.failed < 10


async def test_one_whose_client_is_gone_is_freed_at_once(tmp_path: Path) -> None:
    async with shop(tmp_path, deltas=1000, gap=50) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        question.close()
        with trio.fail_after(1):
            while at.pool.roster.counts()["busy"]:
                await trio.sleep(0.005)
        question.close()


async def test_a_task_of_one_request_that_fails_ends_no_other(tmp_path: Path) -> None:
    async def fails() -> None:
        raise RuntimeError

    async with shop(tmp_path) as at:
        question = at.questions.ask(plan("hello"), "req")
        question.spawn(fails)
        await question.first()
        await read_to_the_end(question)
        question.close()
        assert (await at.ask(plan("hello", client="b"))).answer.text


async def test_one_who_goes_before_asking_leaves_no_busy_worker(tmp_path: Path) -> None:
    async with shop(tmp_path, hang="append") as at:
        said = (await at.ask(plan("hello"))).answer.text
        await at.until("idle", 1)
        # The kept worker has to take in two messages more before it can be asked, and hangs over the first.
        question = at.questions.ask(plan("hello", said, "more", "said elsewhere", "and?"), "req")
        await at.until("busy", 1)
        question.close()
        await at.until("busy", 0)


async def test_a_start_that_is_cut_off_by_the_end_of_the_daemon_has_not_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with shop(tmp_path, workers={"spares": 1}, slow=5000) as at:
        with trio.fail_after(20):
            while not [row["pid"] for row in at.pool.roster.describe() if row["pid"]]:
                await trio.sleep(0.005)
    assert at.pool.roster.exits == {"ended": 1}
    assert "a CLI process failed" not in caplog.text


async def test_idle_time_ends(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"idle_seconds": 0.1}) as at:
        await at.ask(plan("hello"))
        await at.until("idle", 0)


async def test_it_was_used_until_its_client_left(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True, gap=50, deltas=50) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        [worker] = at.pool.roster
        before = trio.current_time()
        question.close()
        await at.until("idle", 1)
        assert worker.used_at >= before


async def test_one_who_goes_at_once_is_not_asked_for(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True) as at:
        question = at.questions.ask(plan("hello"), "req")
        question.close()
        with pytest.raises(GatewayError):
            await question.first()
        assert list(at.pool.roster) == []
        assert question.uses == []


async def test_a_directory_that_cannot_be_made_is_a_failed_start(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"spares": 1, "max": 2}) as at:
        await at.until("spare", 1)
        [root] = tmp_path.glob("claudegwd-*")
        hidden = root.rename(tmp_path / "hidden")
        root.touch()  # in the way, as a full disk is
        assert (await at.ask(plan("hello"))).how == "spare"
        with trio.fail_after(20):
            while at.pool.roster.starts.failed < 3:
                await trio.sleep(0.01)
        with pytest.raises(CliError):
            await at.ask(plan("another client's", client="b"))
        root.unlink()
        hidden.rename(root)
        await at.until("spare", 1)


async def test_while_starts_fail_what_needs_none_is_answered(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        said = (await at.ask(plan("hello"))).answer.text
        await at.until("idle", 1)
        for _ in range(MAX_FAILED_STARTS):
            at.pool.roster.starts.fail(trio.current_time())
        with pytest.raises(CliError, match="does not start"):
            await at.ask(plan("hello", client="b"))
        assert (await at.ask(plan("hello", said, "and?"))).how == "continued"


async def test_asking_one_that_is_gone_fails_at_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        lease = await at.pool.acquire(plan("hello"))
        lease.worker.life.close(now=True)
        with trio.fail_after(1):
            with pytest.raises(WorkerLost):
                lease.worker.initialize("", ())
            with pytest.raises(WorkerLost):
                await lease.worker.append(b"")
            with pytest.raises(WorkerLost):
                await lease.worker.go_back(0)
            with pytest.raises(WorkerLost):
                lease.worker.ask(lease.plan.turn(), b"")  # type: ignore[union-attr]
        at.pool.give_back(lease)


async def test_what_was_just_parked_is_not_given_up_for_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    limits = LimitsConfig(queue_seconds=0.1)
    async with shop(tmp_path, limits=limits, workers={"max": 1}, calls=1) as at:
        await at.ask(plan("hello", tools=tools))
        monkeypatch.setattr("claudegwd.workers.pool.pool.PARK_GRACE_SECONDS", 1000.0)
        with pytest.raises(Overloaded, match="all workers are busy"):
            await at.ask(plan("hello", client="b"))
        assert at.pool.roster.counts()["parked"] == 1
        monkeypatch.setattr("claudegwd.workers.pool.pool.PARK_GRACE_SECONDS", 0.0)
        assert (await at.ask(plan("hello", client="b"))).how == "cold"
        assert at.pool.roster.counts()["parked"] == 0


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="scheduling policies are Linux's")
async def test_a_start_in_the_background_gets_its_share_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    monkeypatch.setattr("claudegwd.workers.pool.sweep.BACKGROUND_SECONDS", 1000.0)

    def policy() -> int | None:
        pids = [row["pid"] for row in at.pool.roster.describe() if row["state"] == "starting"]
        return os.sched_getscheduler(pids[0]) if pids and pids[0] else None

    async with shop(tmp_path, workers={"spares": 1}, hang="start") as at:
        with trio.fail_after(20):
            while policy() in (None, os.SCHED_OTHER):
                await trio.sleep(0.005)
            monkeypatch.setattr("claudegwd.workers.pool.sweep.BACKGROUND_SECONDS", 0.0)
            while policy() != os.SCHED_OTHER:
                await trio.sleep(0.005)


@asynccontextmanager
async def without_threads() -> AsyncIterator[None]:
    """The system starts no thread: each wants more memory than there is. Those that are there are in use."""
    release = threading.Event()
    usual = threading.stack_size(1 << 46)
    try:
        async with trio.open_nursery() as nursery:
            refused = trio.Event()

            async def use_one() -> None:
                try:
                    await trio.to_thread.run_sync(release.wait)
                except RuntimeError:
                    refused.set()

            try:
                while not refused.is_set():
                    nursery.start_soon(use_one)
                    await trio.testing.wait_all_tasks_blocked()
                yield
            finally:
                release.set()
    finally:
        threading.stack_size(usual)


async def test_without_a_thread_a_start_fails_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with shop(tmp_path) as at:
        async with without_threads():
            with pytest.raises(CliError):
                await at.ask(plan("hello"))
        assert at.pool.roster.starts.failed
        assert at.pool.roster.last_words == "it cannot be started: can't start new thread"
        assert "unexpectedly" not in caplog.text
        assert (await at.ask(plan("hello"))).answer.text


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="scheduling policies are Linux's")
async def test_what_nobody_uses_for_a_while_gets_only_idle_time_until_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.rest.REST_SECONDS", 0.5)

    async def until_at_rest(state: str) -> int:
        await at.until(state, 1)
        with trio.fail_after(10):
            while True:
                pid = next(row["pid"] for row in at.pool.roster.describe() if row["state"] == state)
                if os.sched_getscheduler(pid) in (os.SCHED_IDLE, os.SCHED_BATCH):
                    return int(pid)
                await trio.sleep(0.01)

    async with shop(tmp_path, workers={"spares": 1, "max": 1}, whole=True) as at:
        spare = await until_at_rest("spare")
        question = await at.ask(plan("hello"))
        assert (question.how, question.worker_pid) == ("spare", spare)
        assert os.sched_getscheduler(spare) == os.SCHED_OTHER
        assert await until_at_rest("idle") == spare
        assert (await at.ask(plan("and?"))).how == "warm"
        assert os.sched_getscheduler(spare) == os.SCHED_OTHER


async def test_one_given_back_before_it_was_asked_still_gets_its_system_prompt(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True) as at:
        at.pool.give_back(await at.pool.acquire(plan("hello")))
        await at.until("idle", 1)
        [worker] = at.pool.roster
        assert not worker.is_initialized
        assert (await at.ask(plan("hello"))).how == "warm"
        assert worker.is_initialized


async def test_one_that_was_started_for_the_other_way_of_sending_ends_once_it_is_free(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True) as at:
        at.pool.whole = False  # it turned out only after the start
        assert (await at.ask(plan("hello"))).answer.finished is not None
        with trio.fail_after(20):
            while list(at.pool.roster):
                await trio.sleep(0.005)


async def test_one_in_use_when_starts_change_ends_once_it_is_free(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True, gap=20, deltas=10) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        at.pool.renew()
        await read_to_the_end(question)
        question.close()
        assert question.answer.finished is not None
        assert (await at.ask(plan("and?"))).how == "cold"


@pytest.mark.parametrize("when", ["while it answers", "while it waits"])
async def test_a_parked_one_ends_when_starts_change(tmp_path: Path, when: str) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    async with shop(tmp_path, calls=1, gap=20, deltas=10) as at:
        question = at.questions.ask(plan("hello", tools=tools), "req")
        await question.first()
        if when == "while it answers":
            at.pool.renew()
        await read_to_the_end(question)
        question.close()
        if when == "while it waits":
            await at.until("parked", 1)
            at.pool.renew()
        with trio.fail_after(20):
            while list(at.pool.roster):
                await trio.sleep(0.005)
        assert question.answer.finished is not None


async def test_who_was_given_one_just_before_starts_changed_gets_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, whole=True, workers={"max": 1}) as at:
        lease = await at.pool.acquire(plan("hello"))
        waiting = at.questions.ask(plan("hello"), "req")
        with trio.fail_after(10):
            while not at.pool.queued:
                await trio.sleep(0.005)
        take = at.pool.waiters._take

        def taken(wanted: Plan) -> Lease | None:
            given = take(wanted)
            if given is not None and given.worker is lease.worker:
                at.pool.renew()  # before the one that waits knows
            return given

        monkeypatch.setattr(at.pool.waiters, "_take", taken)
        at.pool.give_back(lease)
        await waiting.first()
        assert waiting.worker_pid != lease.worker.process.pid
        assert waiting.attempts.count == 1
        waiting.close()


async def test_over_lowered_bounds_spares_go_at_once(tmp_path: Path) -> None:
    async with shop(tmp_path, workers={"spares": 3, "max": 4}, gap=50, deltas=20) as at:
        await at.until("spare", 3)
        at.pool.configure(msgspec.structs.replace(at.pool.workers_config, spares=1), LimitsConfig())
        assert at.pool.roster.counts()["spare"] == 1
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        await at.until("spare", 1)
        at.pool.configure(msgspec.structs.replace(at.pool.workers_config, max=1), LimitsConfig())
        counts = at.pool.roster.counts()
        assert (counts["busy"], counts["spare"], counts["starting"]) == (1, 0, 0)
        waiting = at.questions.ask(plan("hello", client="b"), "req")
        with trio.fail_after(10):
            while not at.pool.queued:
                await trio.sleep(0.005)
        for each in (question, waiting):
            each.close()


async def test_starts_that_fail_are_noticed_beside_workers_that_answer(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True) as at:
        await at.ask(plan("hello"))
        await at.until("idle", 1)
        (tmp_path / "claude").write_text("#!/bin/sh\nexit 3\n")
        at.pool.configure(msgspec.structs.replace(at.pool.workers_config, spares=1, max=2), LimitsConfig())
        with trio.fail_after(20):
            while at.pool.roster.starts.failed < MAX_FAILED_STARTS:
                await at.ask(plan("and?"))
                await at.until("idle", 1)
        assert at.pool.roster.exits == {"start": MAX_FAILED_STARTS}


async def test_a_start_that_takes_too_long_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    monkeypatch.setattr("claudegwd.workers.pool.sweep.START_SECONDS", 0.3)
    async with shop(tmp_path, workers={"spares": 1}, hang="start") as at:
        with trio.fail_after(20):
            while not at.pool.roster.exits:
                await trio.sleep(0.005)
        at.pool.drain()
        await at.until("starting", 0)
        await at.until("closing", 0)
        assert at.pool.roster.exits == {"start": at.pool.roster.starts.failed}


async def test_an_answer_over_the_bound_of_its_request_is_not_called_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegwd.workers.pool.sweep.SWEEP_SECONDS", 0.05)
    async with shop(tmp_path, timing=Timing(hold=1, request=1.5), gap=50, deltas=2_000) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        with trio.fail_after(20), pytest.raises(GatewayError, match=r"limits\.request_seconds") as caught:
            await read_to_the_end(question)
        assert (caught.value.status, at.questions.failures) == (504, {})
        question.close()


async def test_who_does_not_read_and_then_leaves_costs_no_process(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True, deltas=40_000, size=60) as at:
        question = at.questions.ask(plan("hello"), "req")
        await question.first()
        [worker] = at.pool.roster
        with trio.fail_after(20):
            while worker.hearing.unread_for() == 0:
                await trio.sleep(0.01)
        question.close()
        await at.until("idle", 1)
        assert at.pool.roster.exits == {}


async def test_who_leaves_after_a_parked_turn_was_given_up_leaves_nothing_half_done(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    async with shop(tmp_path, calls=1, workers={"max": 1}) as at:
        await at.ask(plan("hello", tools=tools))
        await at.until("parked", 1)
        [worker] = at.pool.roster
        lease = await at.pool.acquire(plan("hello", "well", "and?", tools=tools))
        assert lease.way.value == "rewound"
        await lease.worker.go_back(lease.held)
        at.pool.give_back(lease)
        assert worker.life.state is not WorkerState.SETTLING
        assert (await at.ask(plan("hello", "well", "and?", tools=tools))).answer.finished is not None


@pytest.mark.parametrize("command", ["rewind", "append"])
async def test_who_leaves_while_the_conversation_changes_leaves_a_worker_that_is_not_free_yet(
    tmp_path: Path, command: str
) -> None:
    async with shop(tmp_path, workers={"max": 1}, echo=1) as at:
        said = (await at.ask(plan("hello"))).answer.text
        await at.until("idle", 1)
        [worker] = at.pool.roster
        lease = await at.pool.acquire(plan("something else"))
        assert (lease.way.value, len(worker.transcript)) == ("rewound", 2)
        if command == "append":
            await worker.go_back(lease.held)
        with trio.CancelScope() as scope:
            scope.cancel()  # what it says is written all the same
            if command == "rewind":
                await worker.go_back(lease.held)
            else:
                await replay(worker, plan("something else", "yes", "and?"), 0)
        at.pool.give_back(lease)
        # Not free before the CLI has done what it was told: if the conversation were continued at once, it would be
        # another one by then.
        assert worker.life.state is (WorkerState.SETTLING if worker._conversation.is_changing else WorkerState.IDLE)
        await at.until("idle", 1)
        assert len(worker.transcript) == (command == "append")
        question = await at.ask(plan("hello", said, "and?"))
        assert (question.how, question.answer.text, question.attempts.count) == ("rewound", "and?", 1)


async def test_the_gateways_own_time_is_never_negative(tmp_path: Path) -> None:
    marker = tmp_path / "once"
    async with shop(tmp_path, workers={"max": 1}, gap=50, deltas=10, crash="message", once=str(marker)) as at:
        began = trio.current_time()
        first, second = (at.questions.ask(plan(text), "req") for text in ("one", "two"))
        async with trio.open_nursery() as nursery:
            for question in (first, second):
                nursery.start_soon(_to_the_end, question)
        assert sorted(question.attempts.count for question in (first, second)) == [1, 2]
        for question in (first, second):
            assert question.asked_at is not None
            assert question.asked_at - began - question.waited >= 0


async def _to_the_end(question: Question) -> None:
    await question.first()
    await read_to_the_end(question)
    question.close()
