from __future__ import annotations

from claudegwd.limits.budget import read_budgets
from claudegwd.notify.notice import Notice, NoticeEvent, of_budget
from claudegwd.notify.repeats import ROWS_MAX, SAME_MAX, SAME_SECONDS, Repeats

NOW = 1_800_000_000.0


def invalid(subject: str, at: float) -> Notice:
    return Notice(NoticeEvent.KEY_INVALID, at, subject, "")


def test_a_state_that_flaps_is_no_flood() -> None:
    repeats = Repeats()
    taken = [repeats.take(invalid("work", NOW + at)) is not None for at in range(1000)]
    assert taken == [True] * SAME_MAX + [False] * (1000 - SAME_MAX)
    assert repeats.take(invalid("home", NOW)), "of another nothing was told yet"
    assert repeats.take(invalid("work", NOW + SAME_SECONDS))
    assert not repeats.take(invalid("work", NOW + SAME_SECONDS + 0.5))


def test_what_lasts_is_told_once() -> None:
    day, month = read_budgets("1usd/day,1usd/month")
    repeats = Repeats()
    assert repeats.take(of_budget("laptop", day, NOW + 100, NOW))
    assert not repeats.take(of_budget("laptop", day, NOW + 100, NOW + 99))
    assert repeats.take(of_budget("laptop", month, NOW + 5000, NOW))
    assert repeats.take(of_budget("laptop", day, NOW + 200, NOW + 100))
    # Credit that is found spent again and again is one spell, however long it lasts.
    spent = [
        Notice(NoticeEvent.KEY_EXHAUSTED, NOW + h * 3600, "k", "", once_until=NOW + h * 3600 + 7200) for h in range(50)
    ]
    assert [repeats.take(notice) is not None for notice in spent] == [True] + [False] * 49
    later = NOW + 100 * 3600
    assert repeats.take(Notice(NoticeEvent.KEY_EXHAUSTED, later, "k", "", once_until=later + 7200))


def test_a_restart_does_not_tell_again() -> None:
    (budget,) = read_budgets("1usd/day")
    before = Repeats()
    for _ in range(SAME_MAX):
        before.take(invalid("work", NOW))
    before.take(of_budget("laptop", budget, NOW + 100, NOW))
    after = Repeats(before.rows.items())
    assert not after.take(invalid("work", NOW + 1))
    assert not after.take(of_budget("laptop", budget, NOW + 100, NOW + 1))


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    repeats = Repeats()
    for _ in range(SAME_MAX):
        repeats.take(invalid("work", NOW + 10 * SAME_SECONDS))
    assert repeats.take(invalid("work", NOW))
    (budget,) = read_budgets("1usd/day")
    year = 366 * 86_400
    assert repeats.take(of_budget("laptop", budget, NOW + year + 100, NOW + year))
    assert repeats.take(of_budget("laptop", budget, NOW + 100, NOW))
    assert not repeats.take(of_budget("laptop", budget, NOW + 100, NOW + 1))


def test_the_oldest_are_forgotten() -> None:
    repeats = Repeats()
    for number in range(ROWS_MAX + 1):
        repeats.take(invalid(str(number), NOW))
    assert len(repeats.rows) == ROWS_MAX
    assert "0" not in {place.subject for place in repeats.rows}
