"""Silence, on a clock that the test moves."""

from claudegwd.workers.worker.hearing import HEARTBEAT_SECONDS, Hearing
from claudegwd.workers.worker.states import ACKNOWLEDGE_SECONDS, START_SECONDS


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_silence_is_counted_from_the_question_and_from_each_word() -> None:
    clock = Clock()
    hearing = Hearing(clock)
    clock.now += 7
    assert hearing.silent_for() == 7
    hearing.acknowledged = True
    hearing.ask()
    assert (hearing.silent_for(), hearing.acknowledged) == (0, False)
    clock.now += 3
    hearing.hear()
    clock.now += 2
    assert hearing.silent_for() == 2


def test_while_the_reader_is_behind_it_is_the_reader_who_is_waited_for() -> None:
    clock = Clock()
    hearing = Hearing(clock)
    hearing.wait_for_reader()
    clock.now += 9
    assert (hearing.silent_for(), hearing.unread_for()) == (0, 9)
    hearing.read_on()
    clock.now += 1
    assert (hearing.silent_for(), hearing.unread_for()) == (1, 0)


def test_a_start_is_given_more_time_than_a_process_that_has_spoken() -> None:
    hearing = Hearing(Clock())
    assert hearing.acknowledge_within() == START_SECONDS
    hearing.has_begun = True
    assert hearing.acknowledge_within() == ACKNOWLEDGE_SECONDS


def test_a_heartbeat_is_due_once_for_each_span_of_silence() -> None:
    clock = Clock()
    hearing = Hearing(clock)
    for _ in range(2):
        clock.now += HEARTBEAT_SECONDS - 1
        assert not hearing.heartbeat_is_due()
        clock.now += 1
        assert hearing.heartbeat_is_due()
        assert not hearing.heartbeat_is_due()
    clock.now += HEARTBEAT_SECONDS - 1
    hearing.hear()
    clock.now += 1
    assert not hearing.heartbeat_is_due()
