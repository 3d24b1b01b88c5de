from __future__ import annotations

import threading

import trio
from trio.testing import wait_all_tasks_blocked

from claudegwd.logs.entry import LogEntry
from claudegwd.logs.ring import FOLLOW_RECORDS, LogRing


def made(text: str, level: str = "info") -> LogEntry:
    return LogEntry(0.0, level, "claudegwd", text, {})


def texts(entries: list[LogEntry]) -> list[str]:
    return [entry.text for entry in entries]


def test_the_oldest_records_go_first() -> None:
    ring = LogRing(3)
    for number in range(5):
        ring.append(made(str(number)))
    assert texts(ring.tail(10)) == ["2", "3", "4"]
    assert texts(ring.tail(2)) == ["3", "4"]
    assert ring.tail(0) == []


def test_the_tail_counts_records_of_the_level() -> None:
    ring = LogRing()
    for level in ("error", "debug", "warning", "info"):
        ring.append(made(level, level))
    assert texts(ring.tail(2, "warning")) == ["error", "warning"]
    assert texts(ring.tail(1, "warning")) == ["warning"]


async def test_a_follower_gets_what_comes_after() -> None:
    ring = LogRing()
    ring.append(made("before"))
    with ring.follow("info") as follower:
        ring.append(made("one"))
        ring.append(made("quiet", "debug"))
        ring.append(made("two"))
        ring.close()
        assert [entry.text async for entry in follower] == ["one", "two"]


async def test_a_slow_follower_loses_records_and_is_told_how_many() -> None:
    ring = LogRing()
    with ring.follow() as follower:
        for number in range(FOLLOW_RECORDS + 7):
            ring.append(made(str(number)))
        first = [await anext(follower) for _ in range(FOLLOW_RECORDS)]
        assert texts(first) == [str(number) for number in range(FOLLOW_RECORDS)]
        ring.append(made("after"))
        gap, after = await anext(follower), await anext(follower)
        assert (gap.level, dict(gap.fields)) == ("warning", {"lost": 7})
        assert after.text == "after"
        assert len(ring.tail(10_000)) == FOLLOW_RECORDS + 8


async def test_two_followers_do_not_disturb_each_other() -> None:
    ring = LogRing()
    with ring.follow() as slow, ring.follow("error") as other:
        for _ in range(FOLLOW_RECORDS + 1):
            ring.append(made("x"))
        ring.append(made("bad", "error"))
        assert (await anext(other)).text == "bad"
        assert slow.lost == 2


async def test_a_follower_who_left_costs_nothing() -> None:
    ring = LogRing()
    with ring.follow() as follower:
        pass
    ring.append(made("x"))
    follower.put(made("in the very moment"))
    assert texts(ring.tail(1)) == ["x"]


async def test_records_from_a_thread_reach_the_follower() -> None:
    ring = LogRing()
    with ring.follow() as follower:
        thread = threading.Thread(target=ring.append, args=(made("from a thread"),))
        thread.start()
        await trio.to_thread.run_sync(thread.join)
        assert (await anext(follower)).text == "from a thread"


async def test_the_end_reaches_a_waiting_follower(nursery: trio.Nursery) -> None:
    ring = LogRing()
    seen: list[str] = []

    async def read() -> None:
        with ring.follow() as follower:
            seen.extend([entry.text async for entry in follower])
        seen.append("ended")

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    with ring:
        ring.append(made("last"))
    await wait_all_tasks_blocked()
    assert seen == ["last", "ended"]


async def test_a_follower_who_comes_too_late_ends_at_once() -> None:
    ring = LogRing()
    ring.close()
    with ring.follow() as follower:
        assert [entry async for entry in follower] == []


def test_a_record_after_the_loop_has_ended() -> None:
    ring = LogRing()

    async def leave_open() -> object:
        context = ring.follow()
        context.__enter__()
        return context

    kept = trio.run(leave_open)
    ring.append(made("late"))
    assert texts(ring.tail(1)) == ["late"]
    del kept
