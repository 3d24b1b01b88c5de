"""What is told of the keys' states."""

from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import KeyStatus, UpstreamKey, with_status
from claudegwd.keys.news import KeyNews
from claudegwd.keys.ring import KeyRing

NOW = 1_700_000_000.0


def keys(*names: str) -> list[UpstreamKey]:
    return [UpstreamKey(name, f"sk-false-{name}") for name in names]


def test_each_change_of_a_state_is_told_once_with_why_and_until_when() -> None:
    subject = KeyRing(keys("a", "b"), cooldown_seconds=60)
    told: list[KeyNews] = []
    subject.on_news = told.append

    def heard() -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = [
            (news.name, news.after and news.after.value, news.reason, news.until, news.last)
            for news in told
        ]  # fmt: skip
        told.clear()
        return rows

    for _ in range(3):  # a burst that fails together is one piece of news
        subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5, error="rate_limit 429")
    assert heard() == [
        ("a", "cooling", "rate_limit 429", NOW + 5, False), ("b", "active", "rate_limit 429 of a", None, False),
    ]  # fmt: skip
    subject.failed("b", FailureKind.AUTHENTICATION, NOW)
    assert told[-1].soonest == NOW + 5, "when the other one is back"
    assert heard() == [("b", "invalid", "authentication", None, True)]
    subject.settle(NOW + 5)
    subject.snapshot(NOW + 5)
    assert heard() == [("a", "active", "recovered", None, False)]
    subject.clear("b")
    subject.rotate(NOW + 5)
    assert heard() == [
        ("b", "ready", "cleared", None, False), ("a", "ready", "asked", None, False),
        ("b", "active", "asked", None, False),
    ]  # fmt: skip
    subject.replace(keys("a"), NOW + 5)
    assert heard() == [("a", "active", "changed", None, False), ("b", None, "changed", None, False)]
    subject.replace([], NOW + 5)
    assert heard() == [("a", None, "changed", None, False)]


def test_of_keys_that_are_lost_together_one_is_the_last() -> None:
    subject = KeyRing(keys("a", "b", "c"), cooldown_seconds=60)
    told: list[KeyNews] = []
    subject.on_news = told.append
    subject.replace([with_status(key, KeyStatus.DISABLED) for key in keys("a", "b", "c")], NOW)
    assert [(news.name, news.usable, news.last) for news in told] == [("a", 2, False), ("b", 1, False), ("c", 0, True)]
    told.clear()
    subject.replace([*keys("a"), *(with_status(key, KeyStatus.DISABLED) for key in keys("b"))], NOW)
    subject.replace([with_status(key, KeyStatus.DISABLED) for key in keys("d")], NOW)
    assert [(news.name, news.last) for news in told if news.lost] == [("a", True)]
