"""Which upstream addresses are avoided: since when, for how long, and what ends it."""

import pytest

from claudegwd.keys.addresses import (
    DOWN_AFTER,
    DOWN_MAX_SECONDS,
    DOWN_SECONDS,
    TRIAL_SECONDS,
    UNANSWERED,
    Addresses,
)
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey

NOW = 1_700_000_000.0
RELAY, OTHER = "https://relay.example", "https://other.example"


def failing(*requests: str, kind: FailureKind = FailureKind.UNAVAILABLE, now: float = NOW) -> Addresses:
    subject = Addresses()
    for request in requests:
        subject.failed(RELAY, kind, now, request)
    return subject


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_the_upstream_did_not_answer_counts(kind: FailureKind) -> None:
    subject = failing("one", "two", kind=kind)
    assert (subject.outage(RELAY, NOW) is not None) == (kind in UNANSWERED)


def test_a_single_request_is_no_outage_however_often_it_is_retried() -> None:
    assert failing(*["one"] * 8).outage(RELAY, NOW) is None
    assert failing("one", "two").outage(RELAY, NOW)
    assert DOWN_AFTER == 2


def test_failures_without_a_request_id_each_count() -> None:
    assert failing("", "").outage(RELAY, NOW)


def test_another_address_is_not_concerned() -> None:
    assert failing("one", "two").outage(OTHER, NOW) is None


REACHED = [FailureKind.AUTHENTICATION, FailureKind.RATE_LIMIT, FailureKind.BAD_REQUEST, FailureKind.MODEL_FORBIDDEN]


@pytest.mark.parametrize("kind", REACHED)
def test_a_refusal_is_an_answer(kind: FailureKind) -> None:
    subject = failing("one", "two")
    subject.failed(RELAY, kind, NOW + 1, "three")
    assert subject.outage(RELAY, NOW + 1) is None
    subject.failed(RELAY, FailureKind.UNAVAILABLE, NOW + 2, "four")
    assert subject.outage(RELAY, NOW + 2) is None  # counted from the beginning


@pytest.mark.parametrize("kind", [FailureKind.CLI, FailureKind.UNREAD, FailureKind.LATE])
def test_what_says_nothing_about_the_upstream_ends_no_outage(kind: FailureKind) -> None:
    subject = failing("one", "two")
    subject.failed(RELAY, kind, NOW + 1, "three")
    assert subject.outage(RELAY, NOW + 1)


def test_the_time_doubles_with_each_retry_up_to_a_bound() -> None:
    subject, now = failing("one", "two"), NOW
    for expected in (30, 60, 120, 240, 300, 300):
        assert subject.outage(RELAY, now + expected - 1)
        assert subject.outage(RELAY, now + expected) is None
        now += expected
        subject.failed(RELAY, FailureKind.UNAVAILABLE, now, f"at {now}")
    assert (DOWN_SECONDS, DOWN_MAX_SECONDS) == (30, 300)


def test_requests_that_fail_together_are_one_outage() -> None:
    subject = failing(*map(str, range(200)))
    outage = subject.outage(RELAY, NOW)
    assert outage is not None
    assert (outage.since, outage.until) == (NOW, NOW + DOWN_SECONDS)


def test_one_request_tries_it_again_while_the_others_go_elsewhere() -> None:
    subject, over = failing("one", "two"), NOW + DOWN_SECONDS
    subject.asked(RELAY, over - 1)  # nothing else was left: that is no trial
    assert (subject.is_avoided(RELAY, over - 1), subject.is_avoided(RELAY, over)) == (True, False)
    subject.asked(RELAY, over)
    assert (subject.is_avoided(RELAY, over), subject.outage(RELAY, over)) == (True, None)
    assert not subject.is_avoided(RELAY, over + TRIAL_SECONDS)
    subject.failed(RELAY, FailureKind.UNAVAILABLE, over, "three")
    assert subject.is_avoided(RELAY, over + 2 * DOWN_SECONDS - 1)
    assert not subject.is_avoided(RELAY, over + 2 * DOWN_SECONDS)
    subject.asked(RELAY, over + 2 * DOWN_SECONDS)
    subject.answered(RELAY)
    assert not subject.is_avoided(RELAY, over + 2 * DOWN_SECONDS)


def test_one_that_has_failed_once_is_not_on_trial() -> None:
    subject = failing("one")
    subject.asked(RELAY, NOW)
    assert not subject.is_avoided(RELAY, NOW)


def test_both_ends_of_an_outage_are_reported_once() -> None:
    told: list[tuple[str, float | None]] = []
    subject = Addresses()
    subject.on_change = lambda address, since: told.append((address, since))
    for number in range(9):
        subject.failed(RELAY, FailureKind.UNAVAILABLE, NOW + 100 * number, str(number))
    subject.answered(RELAY)
    subject.answered(RELAY)
    assert told == [(RELAY, NOW), (RELAY, None)]
    subject.failed(RELAY, FailureKind.UNAVAILABLE, NOW + 1000, "a")
    subject.answered(RELAY)
    assert len(told) == 2


def test_all_of_them_are_out_only_if_each_is() -> None:
    subject = failing("one", "two")
    assert subject.of_all({RELAY, OTHER}, NOW) is None
    assert subject.of_all(set(), NOW) is None
    for request in ("three", "four"):
        subject.failed(OTHER, FailureKind.SILENT, NOW + 5, request)
    outage = subject.of_all({RELAY, OTHER}, NOW + 5)
    assert outage is not None
    assert outage.since == NOW + 5  # until then, one of them answered


def test_what_no_key_uses_any_more_is_forgotten() -> None:
    subject = failing("one", "two")
    subject.keep([OTHER])
    assert subject.outage(RELAY, NOW) is None


def test_the_best_key_is_the_first_of_those_least_to_be_avoided() -> None:
    subject = failing("one", "two")
    keys = [UpstreamKey(name, f"sk-false-{name}", url) for name, url in (("a", RELAY), ("b", OTHER), ("c", OTHER))]

    def best(*avoid: str, of: list[UpstreamKey] = keys) -> str | None:
        found = subject.best(iter(of), avoid, NOW)
        return found.name if found is not None else None

    assert (best(), best(OTHER), best(RELAY, OTHER), best(of=keys[:1]), best(of=[])) == ("b", "a", "b", "a", None)
