"""The key ring, row by row of the failure table, and what people do to it."""

from dataclasses import replace

import pytest

from claudegwd.claude_cli.limit_windows import LimitWindow
from claudegwd.keys.answers import ENVIRONMENT, CannotRotate, Dead, KeysDiff, NoKeys, RingChange, UnknownKey, WaitForKey
from claudegwd.keys.entry import (
    COOLDOWN_MAX_SECONDS,
    EXHAUSTED_SECONDS,
    FORBIDDEN_MAX,
    FORBIDDEN_SECONDS,
    FORBIDDEN_UNPROVEN_SECONDS,
    RESET_MAX_SECONDS,
)
from claudegwd.keys.failures import FAILURES, FailureKind, KeyEffect
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.ring import KeyRing

NOW = 1_700_000_000.0
NAMES = ("a", "b", "c")


def keys(*names: str) -> list[UpstreamKey]:
    return [UpstreamKey(name, f"sk-false-{name}") for name in names or NAMES]


def ring(*names: str, cooldown: float = 60.0) -> KeyRing:
    return KeyRing(keys(*names), cooldown_seconds=cooldown)


def chosen(subject: KeyRing, now: float = NOW, *, model: str = "sonnet", prefer: str | None = None) -> str:
    choice = subject.choose(now, model=model, prefer=prefer, tried=())
    assert isinstance(choice, UpstreamKey)
    return choice.name


def states(subject: KeyRing, now: float = NOW) -> dict[str, str]:
    return {row["name"]: row["state"] for row in subject.snapshot(now)}


def test_the_first_key_is_active_and_the_others_ready() -> None:
    assert states(ring()) == {"a": "active", "b": "ready", "c": "ready"}
    assert chosen(ring()) == "a"


def test_401_makes_invalid_until_cleared() -> None:
    subject = ring()
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    assert states(subject, NOW + 10 * RESET_MAX_SECONDS) == {"a": "invalid", "b": "active", "c": "ready"}
    subject.clear("a")
    assert states(subject) == {"a": "ready", "b": "active", "c": "ready"}


def test_spent_credit_exhausts_for_long() -> None:
    subject = ring()
    subject.failed("a", FailureKind.BILLING, NOW)
    assert states(subject, NOW + EXHAUSTED_SECONDS - 1)["a"] == "exhausted"
    assert states(subject, NOW + EXHAUSTED_SECONDS)["a"] == "ready"


def test_a_rate_limit_cools_until_the_named_reset() -> None:
    subject = ring()
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5)
    assert subject.snapshot(NOW)[0]["cooling_until"] == NOW + 5
    assert states(subject, NOW + 4.9)["a"] == "cooling"
    assert states(subject, NOW + 5)["a"] == "ready"


def test_without_a_named_reset_the_wait_grows_with_repeats_up_to_a_bound() -> None:
    subject, now, waits = ring("a"), NOW, []
    for _ in range(8):
        subject.failed("a", FailureKind.RATE_LIMIT, now)
        until = subject.snapshot(now)[0]["cooling_until"]
        waits.append(until - now)
        now = until
        subject.settle(now)
    assert waits == [60, 120, 240, 480, COOLDOWN_MAX_SECONDS, 900, 900, 900]


def test_a_success_ends_the_growth() -> None:
    subject = ring("a")
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    subject.settle(NOW + 60)
    subject.succeeded("a", NOW + 61, 10)
    subject.failed("a", FailureKind.RATE_LIMIT, NOW + 62)
    assert subject.snapshot(NOW + 62)[0]["cooling_until"] == NOW + 122


def test_a_burst_that_fails_together_counts_once() -> None:
    subject = ring()
    for _ in range(200):
        subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    row = subject.snapshot(NOW)[0]
    assert (row["cooling_until"], row["requests"], row["failures"]) == (NOW + 60, 200, 200)


@pytest.mark.parametrize("reset_at", [NOW - 5, NOW, float("nan")])
def test_a_reset_that_is_over_or_nonsense_is_as_none(reset_at: float) -> None:
    subject = ring()
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=reset_at)
    assert subject.snapshot(NOW)[0]["cooling_until"] == NOW + 60


def test_a_reset_in_milliseconds_is_bounded() -> None:
    subject = ring()
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW * 1000)
    assert subject.snapshot(NOW)[0]["cooling_until"] == NOW + RESET_MAX_SECONDS


def test_a_cooldown_of_zero_still_waits() -> None:
    subject = ring(cooldown=0)
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    assert subject.snapshot(NOW)[0]["cooling_until"] == NOW + 1


@pytest.mark.parametrize("kind", [k for k in FailureKind if FAILURES[k].effect is KeyEffect.UNCHANGED])
def test_what_is_not_the_keys_fault_leaves_no_mark(kind: FailureKind) -> None:
    subject = ring()
    for _ in range(100):
        subject.failed("a", kind, NOW, reset_at=NOW + 100)
    row = subject.snapshot(NOW)[0]
    assert (row["state"], row["last_error"], row["failures"], row["requests"]) == ("active", None, 0, 100)


def test_403_is_for_that_key_and_that_model() -> None:
    subject = ring("a", "b")
    for name in ("a", "b"):
        subject.succeeded(name, NOW, 5)
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model="opus")
    assert states(subject)["a"] == "active"
    assert (chosen(subject, model="opus"), chosen(subject, model="sonnet")) == ("b", "a")
    subject.failed("b", FailureKind.MODEL_FORBIDDEN, NOW, model="opus")
    assert subject.choose(NOW, model="opus", prefer=None, tried=()) == Dead(FailureKind.MODEL_FORBIDDEN)
    assert subject.snapshot(NOW)[0]["forbidden_models"] == ["opus"]
    assert chosen(subject, NOW + FORBIDDEN_SECONDS, model="opus") == "a"


def test_where_no_answer_ever_came_a_model_is_asked_for_again_soon() -> None:
    """A 404 may then be of the path in base_url: the CLI has the same words for both."""
    subject = KeyRing([UpstreamKey("a", "sk-false-1", base_url="https://relay.example.org")], cooldown_seconds=60.0)
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model="opus", error="404")
    assert "base_url" in subject.snapshot(NOW)[0]["last_error"]
    later = NOW + FORBIDDEN_UNPROVEN_SECONDS
    assert chosen(subject, later, model="opus") == "a"
    subject.succeeded("a", later, 5)
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, later, model="opus", error="404")
    assert "base_url" not in subject.snapshot(NOW)[0]["last_error"]
    assert isinstance(subject.choose(later + FORBIDDEN_UNPROVEN_SECONDS, model="opus", prefer=None, tried=()), Dead)


def test_a_late_answer_of_a_replaced_token_proves_nothing_of_the_new_one() -> None:
    old, new = (UpstreamKey("a", f"sk-false-{n}", base_url="https://relay.example.org") for n in (1, 2))
    subject = KeyRing([old], cooldown_seconds=60.0)
    subject.replace([new], NOW)
    subject.succeeded("a", NOW, 5, digest=old.digest)
    assert (subject.snapshot(NOW)[0]["requests"], subject.snapshot(NOW)[0]["tokens"]) == (1, 5)
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model="opus", error="404", digest=new.digest)
    assert "base_url" in subject.snapshot(NOW)[0]["last_error"]
    assert chosen(subject, NOW + FORBIDDEN_UNPROVEN_SECONDS, model="opus") == "a"
    subject.succeeded("a", NOW, 5, digest=new.digest)
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model="opus", error="404", digest=new.digest)
    assert "base_url" not in subject.snapshot(NOW)[0]["last_error"]


def test_forbidden_models_are_bounded() -> None:
    subject = ring("a")
    for n in range(FORBIDDEN_MAX + 5):
        subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model=f"m{n}")
    assert len(subject.snapshot(NOW)[0]["forbidden_models"]) == FORBIDDEN_MAX


def test_a_conversation_stays_on_its_key_while_it_lives() -> None:
    subject = ring()
    assert chosen(subject, prefer="b") == "b"
    assert states(subject)["a"] == "active"
    subject.failed("b", FailureKind.RATE_LIMIT, NOW)
    assert chosen(subject, prefer="b") == "a"
    assert chosen(subject, NOW + 60, prefer="b") == "b"


def test_a_preference_for_a_removed_key_is_no_fault() -> None:
    assert chosen(ring(), prefer="gone") == "a"


def test_revoked_spent_limited_good() -> None:
    subject = ring("revoked", "spent", "limited", "good")
    tried: list[str] = []
    for kind in (FailureKind.AUTHENTICATION, FailureKind.BILLING, FailureKind.RATE_LIMIT):
        choice = subject.choose(NOW, model="sonnet", prefer=None, tried=tried)
        assert isinstance(choice, UpstreamKey)
        subject.failed(choice.name, kind, NOW)
        tried.append(choice.name)
    assert tried == ["revoked", "spent", "limited"]
    assert chosen(subject) == "good"
    assert states(subject) == {"revoked": "invalid", "spent": "exhausted", "limited": "cooling", "good": "active"}


def test_all_dead() -> None:
    subject = ring()
    for name in NAMES:
        subject.failed(name, FailureKind.AUTHENTICATION, NOW)
    assert subject.choose(NOW, model="sonnet") == Dead(FailureKind.AUTHENTICATION)
    assert subject.active is None


def test_all_disabled() -> None:
    off = [UpstreamKey(name, f"sk-false-{name}", status=KeyStatus.DISABLED) for name in ("a", "b")]
    assert KeyRing(off, cooldown_seconds=60).choose(NOW, model="sonnet") == Dead(
        FailureKind.AUTHENTICATION, disabled=True
    )


def test_disabled_keys_do_not_hide_what_the_others_lack() -> None:
    def beside_a_disabled_key(kind: FailureKind) -> object:
        off = UpstreamKey("off", "sk-false-off", status=KeyStatus.DISABLED)
        subject = KeyRing([off, *keys("on")], cooldown_seconds=60)
        subject.failed("on", kind, NOW, model="sonnet", reset_at=NOW + 30)
        return subject.choose(NOW, model="sonnet")

    for kind in (FailureKind.AUTHENTICATION, FailureKind.MODEL_FORBIDDEN):
        assert beside_a_disabled_key(kind) == Dead(kind)
    for kind in (FailureKind.RATE_LIMIT, FailureKind.BILLING):
        assert beside_a_disabled_key(kind) == WaitForKey(NOW + 30, kind)


def test_all_cooling_names_the_soonest() -> None:
    subject = ring()
    for name, wait in zip(NAMES, (30, 10, 20), strict=True):
        subject.failed(name, FailureKind.RATE_LIMIT, NOW, reset_at=NOW + wait)
    assert subject.choose(NOW, model="sonnet") == WaitForKey(NOW + 10, FailureKind.RATE_LIMIT)
    assert chosen(subject, NOW + 10) == "b"


def test_all_spent_or_refused_is_a_matter_of_credit() -> None:
    subject = ring("a", "b")
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    subject.failed("b", FailureKind.BILLING, NOW)
    assert subject.choose(NOW, model="sonnet") == WaitForKey(NOW + EXHAUSTED_SECONDS, FailureKind.BILLING, refused=True)


def test_a_key_that_this_request_tried_is_not_chosen_again_at_once() -> None:
    subject = ring("a")
    assert subject.choose(NOW, model="sonnet", tried=["a"]) == WaitForKey(NOW + 1, FailureKind.UNAVAILABLE)


def test_rotation_goes_on_in_file_order_and_does_not_fall_back() -> None:
    subject = ring()
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5)
    assert chosen(subject, NOW + 10) == "b"
    subject.failed("b", FailureKind.RATE_LIMIT, NOW + 10)
    assert chosen(subject, NOW + 10) == "c"


def test_a_failure_under_a_token_that_was_replaced_is_ignored() -> None:
    subject = ring("a")
    old = keys("a")[0]
    subject.replace([UpstreamKey("a", "sk-false-new")], NOW)
    subject.failed("a", FailureKind.AUTHENTICATION, NOW, digest=old.digest)
    assert states(subject) == {"a": "active"}


def test_a_test_of_a_token_that_was_replaced_clears_nothing() -> None:
    subject = ring("a")
    old, new = keys("a")[0], UpstreamKey("a", "sk-false-new")
    subject.replace([new], NOW)
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    assert not subject.clear("a", old.digest)
    assert states(subject) == {"a": "invalid"}
    assert subject.clear("a", new.digest)
    assert states(subject) == {"a": "active"}


def test_news_of_a_removed_key_is_ignored() -> None:
    subject = ring("a")
    subject.succeeded("gone", NOW, 5)
    subject.failed("gone", FailureKind.AUTHENTICATION, NOW)
    assert states(subject) == {"a": "active"}


def test_counters() -> None:
    subject = ring("a")
    subject.succeeded("a", NOW, 10)
    subject.succeeded("a", NOW + 1, 5)
    subject.failed("a", FailureKind.RATE_LIMIT, NOW + 2, error="rate_limit 429")
    row = subject.snapshot(NOW + 2)[0]
    assert (row["requests"], row["tokens"], row["last_used"]) == (3, 15, NOW + 2)
    assert (row["last_error"], row["last_error_at"], row["failures"]) == ("rate_limit 429", NOW + 2, 1)


# -- people


def test_rotate_to_the_next_and_to_a_name() -> None:
    subject = ring()
    assert subject.rotate(NOW) == "b"
    assert subject.rotate(NOW, "a") == "a"
    assert subject.rotate(NOW, "a") == "a"
    assert subject.rotate(NOW) == "b"
    assert subject.rotate(NOW) == "c"
    assert subject.rotate(NOW) == "a"
    assert states(subject) == {"a": "active", "b": "ready", "c": "ready"}


def test_rotate_refuses_by_name_and_says_what_to_do() -> None:
    with pytest.raises(CannotRotate, match=r"^cannot rotate: no keys are configured; .*keys add"):
        KeyRing([], cooldown_seconds=60).rotate(NOW)
    with pytest.raises(CannotRotate, match=r"^cannot rotate: no other key is ready"):
        ring("a").rotate(NOW)
    with pytest.raises(UnknownKey, match="'gone'"):
        ring("a").rotate(NOW, "gone")
    subject = ring("a", "b")
    subject.failed("b", FailureKind.AUTHENTICATION, NOW)
    with pytest.raises(CannotRotate, match=r"'b': it is invalid; `claudegwctl keys test b`"):
        subject.rotate(NOW, "b")
    subject = ring("a", "my key")
    subject.failed("my key", FailureKind.AUTHENTICATION, NOW)
    with pytest.raises(CannotRotate, match=r"`claudegwctl keys test 'my key'`"):
        subject.rotate(NOW, "my key")


def test_disabled_keys_are_never_chosen() -> None:
    subject = KeyRing([UpstreamKey("a", "sk-false-a", status=KeyStatus.DISABLED), *keys("b")], cooldown_seconds=60)
    assert states(subject) == {"a": "disabled", "b": "active"}
    subject.clear("a")
    subject.failed("b", FailureKind.AUTHENTICATION, NOW)
    assert subject.choose(NOW, model="sonnet", prefer="a") == Dead(FailureKind.AUTHENTICATION)


def test_replace_keeps_what_a_key_has_lived_through() -> None:
    subject = ring()
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    subject.failed("b", FailureKind.RATE_LIMIT, NOW)
    diff = subject.replace(keys("d", "b", "a"), NOW)
    assert diff == KeysDiff(added=("d",), removed=("c",), changed=())
    assert states(subject) == {"d": "active", "b": "cooling", "a": "invalid"}


def test_replace_keeps_it_under_another_name_too() -> None:
    subject = ring()
    subject.failed("b", FailureKind.RATE_LIMIT, NOW)
    subject.succeeded("a", NOW, 7)
    subject.rotate(NOW, "c")
    first, second, third = keys("a", "b", "c")
    subject.replace([replace(first, name="z"), second, replace(third, name="y")], NOW)
    assert states(subject) == {"z": "ready", "b": "cooling", "y": "active"}
    assert [row["requests"] for row in subject.snapshot(NOW)] == [1, 1, 0]
    # A copy is another key: only one of them can be what was there.
    subject.replace([replace(first, name="one"), replace(first, name="two")], NOW)
    assert [row["requests"] for row in subject.snapshot(NOW)] == [1, 0]


def test_replace_begins_anew_for_another_token() -> None:
    subject = ring("a", "b")
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    diff = subject.replace([UpstreamKey("a", "sk-false-other"), *keys("b")], NOW)
    assert diff == KeysDiff(changed=("a",))
    assert states(subject) == {"a": "ready", "b": "active"}
    assert subject.snapshot(NOW)[0]["last_error"] is None


def test_replace_disables_and_enables() -> None:
    subject = ring("a", "b")
    off = [UpstreamKey("a", "sk-false-a", status=KeyStatus.DISABLED), *keys("b")]
    assert subject.replace(off, NOW) == KeysDiff(changed=("a",))
    assert states(subject) == {"a": "disabled", "b": "active"}
    subject.replace(keys("a", "b"), NOW)
    assert states(subject) == {"a": "ready", "b": "active"}


def test_the_active_key_stays_active_over_a_reload() -> None:
    subject = ring()
    subject.rotate(NOW, "b")
    subject.replace([*keys("a"), UpstreamKey("b", "sk-false-other"), *keys("c")], NOW)
    assert states(subject) == {"a": "ready", "b": "active", "c": "ready"}


def test_when_the_active_key_is_removed_the_one_behind_it_follows() -> None:
    subject = ring()
    subject.rotate(NOW, "b")
    subject.replace(keys("a", "c"), NOW)
    assert chosen(subject) == "c"


def test_duplicate_names_are_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="same name"):
        ring("a", "a")
    with pytest.raises(ValueError, match="same name"):
        ring("a").replace(keys("b", "b"), NOW)


# -- no keys


def test_an_empty_ring_means_the_environments_own_login() -> None:
    subject = KeyRing([], cooldown_seconds=60)
    assert subject.choose(NOW, model="sonnet") == NoKeys()
    assert subject.snapshot(NOW) == []
    assert (len(subject), subject.active) == (0, None)


@pytest.mark.parametrize("kind", [FailureKind.AUTHENTICATION, FailureKind.BILLING, FailureKind.MODEL_FORBIDDEN])
def test_a_failure_of_the_login_is_final_for_one_request_only(kind: FailureKind) -> None:
    subject = KeyRing([], cooldown_seconds=60)
    subject.failed(ENVIRONMENT, kind, NOW, model="opus")
    assert subject.choose(NOW, model="opus", tried=[ENVIRONMENT]) == Dead(kind)
    assert subject.choose(NOW, model="opus", tried=[]) == NoKeys()


def test_a_limit_of_the_login_is_waited_for() -> None:
    subject = KeyRing([], cooldown_seconds=60)
    subject.failed(ENVIRONMENT, FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 30)
    assert subject.choose(NOW, model="x", tried=[ENVIRONMENT]) == WaitForKey(NOW + 30, FailureKind.RATE_LIMIT)
    assert subject.choose(NOW + 30, model="x") == NoKeys()
    subject.failed(ENVIRONMENT, FailureKind.RATE_LIMIT, NOW + 30)
    assert subject.choose(NOW + 31, model="x") == WaitForKey(NOW + 150, FailureKind.RATE_LIMIT)
    subject.succeeded(ENVIRONMENT, NOW + 40, 5)
    assert subject.choose(NOW + 41, model="x") == NoKeys()


def test_a_ring_that_gets_its_first_keys_uses_them() -> None:
    subject = KeyRing([], cooldown_seconds=60)
    subject.replace(keys("a"), NOW)
    assert chosen(subject) == "a"


# -- memory


def test_states_outlive_the_process() -> None:
    subject = ring("revoked", "spent", "limited", "good")
    subject.failed("revoked", FailureKind.AUTHENTICATION, NOW)
    subject.failed("spent", FailureKind.BILLING, NOW)
    subject.failed("limited", FailureKind.RATE_LIMIT, NOW)
    subject.failed("good", FailureKind.MODEL_FORBIDDEN, NOW, model="opus")
    subject.succeeded("good", NOW, 7)
    after = ring("revoked", "spent", "limited", "good")
    after.remember(subject.remembered(), NOW + 1)
    assert after.snapshot(NOW + 1) == subject.snapshot(NOW + 1)
    assert chosen(after, NOW + 1) == "good"


def test_the_state_goes_with_the_token_and_the_counters_with_the_name() -> None:
    subject = ring("a")
    subject.succeeded("a", NOW, 7)
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    after = KeyRing([UpstreamKey("a", "sk-false-other")], cooldown_seconds=60)
    after.remember(subject.remembered(), NOW)
    row = after.snapshot(NOW)[0]
    assert (row["state"], row["tokens"], row["requests"], row["last_error"]) == ("active", 7, 2, None)


def test_a_time_that_is_over_is_not_remembered() -> None:
    subject = ring("a", "b")
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    after = ring("a", "b")
    after.remember(subject.remembered(), NOW + 60)
    assert states(after, NOW + 60) == {"a": "ready", "b": "active"}


def test_the_file_decides_what_is_disabled() -> None:
    subject = KeyRing([UpstreamKey("a", "sk-false-a", status=KeyStatus.DISABLED)], cooldown_seconds=60)
    after = ring("a")
    after.remember(subject.remembered(), NOW)
    assert states(after) == {"a": "active"}
    subject.remember(ring("a").remembered(), NOW)
    assert states(subject) == {"a": "disabled"}


def test_a_clock_set_back_does_not_lock_a_key_up() -> None:
    subject = ring("a")
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    after = ring("a")
    after.remember(subject.remembered(), NOW - 365 * 86400)
    assert after.snapshot(NOW - 365 * 86400)[0]["cooling_until"] == NOW - 365 * 86400 + RESET_MAX_SECONDS


# -- listeners


def test_changes_of_state_are_told_apart_from_counters() -> None:
    seen: list[RingChange] = []
    subject = KeyRing(keys(), cooldown_seconds=60, on_change=seen.append)
    subject.succeeded("a", NOW, 1)
    subject.failed("a", FailureKind.UNAVAILABLE, NOW)
    subject.choose(NOW, model="x")
    assert seen == [RingChange.COUNTERS, RingChange.COUNTERS]
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    assert seen[2:] == [RingChange.STATE]
    subject.failed("a", FailureKind.RATE_LIMIT, NOW)
    assert seen[3:] == [RingChange.COUNTERS]
    subject.settle(NOW + 60)
    subject.settle(NOW + 60)
    assert seen[4:] == [RingChange.STATE]
    subject.rotate(NOW + 60)
    subject.clear("a")
    subject.replace(keys("a"), NOW)
    assert seen[5:].count(RingChange.STATE) >= 3


def test_no_token_in_snapshot_or_memory() -> None:
    subject = ring()
    assert "sk-false" not in f"{subject.snapshot(NOW)} {subject.remembered()}"


def test_rotations_are_counted_by_reason() -> None:
    subject = ring()
    assert subject.rotation.counts == {}
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5)
    subject.rotate(NOW)
    assert subject.rotation.counts == {"rate_limit": 1, "asked": 1}
    subject.rotate(NOW, "c")  # which it is
    subject.failed("b", FailureKind.AUTHENTICATION, NOW)  # which is not the active one
    assert subject.rotation.counts == {"rate_limit": 1, "asked": 1}
    subject.replace(keys("a", "b"), NOW)
    subject.settle(NOW + 5)
    assert subject.rotation.counts == {"rate_limit": 1, "asked": 1, "changed": 1}


def test_a_key_that_comes_back_to_itself_is_no_rotation() -> None:
    subject = ring("a")
    subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5)
    subject.settle(NOW + 5)
    assert states(subject, NOW + 5) == {"a": "active"}
    assert subject.rotation.counts == {}


def test_what_is_remembered_is_no_rotation() -> None:
    first, second = ring(), ring()
    first.rotate(NOW)
    second.remember(first.remembered(), NOW)
    assert states(second)["b"] == "active"
    assert second.rotation.counts == {}


def test_what_is_lacking_now_a_person_or_time() -> None:
    subject = ring("a", "b")
    assert subject.lack(NOW, "sonnet") is None
    subject.failed("a", FailureKind.AUTHENTICATION, NOW)
    subject.failed("b", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 3600)
    limited = WaitForKey(NOW + 3600, FailureKind.RATE_LIMIT)  # it comes back by itself
    assert subject.lack(NOW, "sonnet") == limited
    assert subject.lack(NOW + 3600, "sonnet") is None
    subject.failed("b", FailureKind.BILLING, NOW)
    assert subject.lack(NOW, "sonnet") == Dead(FailureKind.BILLING)
    assert subject.lack(NOW + EXHAUSTED_SECONDS, "sonnet") is None  # and it would be asked once more
    subject.failed("b", FailureKind.AUTHENTICATION, NOW)
    assert subject.lack(NOW, "sonnet") == Dead(FailureKind.AUTHENTICATION)
    subject.clear("a")
    subject.failed("a", FailureKind.MODEL_FORBIDDEN, NOW, model="opus")
    assert subject.lack(NOW, "opus") == Dead(FailureKind.MODEL_FORBIDDEN)
    assert subject.lack(NOW, "sonnet") is None


def test_the_login_is_dead_from_its_refusal_to_its_next_answer_or_another_login() -> None:
    subject = KeyRing([], cooldown_seconds=60)
    assert (subject.lack(NOW, None), subject.login_failure(NOW)) == (None, None)
    subject.failed(ENVIRONMENT, FailureKind.AUTHENTICATION, NOW, error="authentication 401")
    assert subject.lack(NOW, None) == Dead(FailureKind.AUTHENTICATION)
    assert subject.login_failure(NOW) == {
        "kind": "authentication", "error": "authentication 401", "at": NOW, "until": None,
    }  # fmt: skip
    subject.succeeded(ENVIRONMENT, NOW, 1)
    assert subject.lack(NOW, None) is None
    subject.failed(ENVIRONMENT, FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 5)
    failure = subject.login_failure(NOW)
    assert failure is not None
    assert failure["until"] == NOW + 5
    assert subject.lack(NOW, None) == WaitForKey(NOW + 5, FailureKind.RATE_LIMIT)
    assert subject.lack(NOW + 5, None) is None
    assert subject.login_failure(NOW + 5) is None
    subject.forget_login()
    assert isinstance(subject.choose(NOW, model=None), NoKeys)


def test_by_headroom_the_key_with_the_most_left_is_active() -> None:
    ring = KeyRing([UpstreamKey(name, f"sk-false-{name}") for name in "abc"], cooldown_seconds=60)
    ring.windows.note("a", [LimitWindow("5h", 0.5, NOW + 100)], NOW)
    ring.windows.note("b", [LimitWindow("5h", 0.46, NOW + 100)], NOW)
    ring.windows.note("c", [LimitWindow("5h", 0.7, NOW + 100)], NOW)

    def chosen(now: float = NOW, prefer: str | None = None) -> str:
        key = ring.choose(now, model=None, prefer=prefer)
        assert isinstance(key, UpstreamKey)
        return key.name

    assert chosen() == "a", "in the order of the file"
    ring.by_headroom = True
    assert chosen() == "a", "the other has hardly more left"
    ring.windows.note("a", [LimitWindow("7d", 0.6, NOW + 100)], NOW)
    assert chosen() == "b"
    assert ring.active is not None
    assert ring.active.name == "b"
    assert ring.rotation.counts["headroom"] == 1
    assert chosen(prefer="c") == "c", "a conversation stays with its key"
    ring.failed("b", FailureKind.AUTHENTICATION, NOW)
    assert chosen(NOW + 101) in ("a", "c")


def test_by_headroom_a_key_that_a_person_chose_stays_active_until_it_is_lost() -> None:
    ring = KeyRing([UpstreamKey(name, f"sk-false-{name}") for name in "ab"], cooldown_seconds=60)
    ring.by_headroom = True
    ring.windows.note("b", [LimitWindow("5h", 0.5, NOW + 1000)], NOW)
    ring.rotate(NOW, "b")
    assert chosen(ring) == "b"
    ring.replace([UpstreamKey("a", "sk-false-a"), UpstreamKey("c", "sk-false-b")], NOW)
    assert chosen(ring) == "c", "it was only renamed"
    ring.failed("c", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 10)
    assert chosen(ring) == "a"
    ring.windows.note("a", [LimitWindow("5h", 0.7, NOW + 1000)], NOW)
    assert chosen(ring, NOW + 11) == "c"
    ring.windows.note("c", [LimitWindow("5h", 0.9, NOW + 1000)], NOW)
    assert chosen(ring, NOW + 11) == "a", "nobody chose it this time"


def test_a_key_that_is_withheld_is_not_used_whatever_its_list_says() -> None:
    ring = KeyRing(
        keys := [UpstreamKey("first", "sk-false-1"), UpstreamKey("second", "sk-false-2")], cooldown_seconds=60
    )
    ring.withhold([keys[0].digest], 1.0)
    assert [(row["state"], row["withheld"]) for row in ring.snapshot(1.0)] == [("disabled", True), ("active", False)]
    ring.replace(keys, 1.0)
    assert ring.active == keys[1]
    ring.withhold([], 1.0)
    assert [row["state"] for row in ring.snapshot(1.0)] == ["ready", "active"]


def test_limits_follow_the_token_and_not_the_name() -> None:
    keys = {name: UpstreamKey(name, f"sk-false-{name}") for name in ("a", "b", "c")}
    subject = KeyRing(list(keys.values()), cooldown_seconds=60)
    for name in (*keys, ENVIRONMENT):
        subject.windows.note(name, [LimitWindow("5h", 0.5, NOW + 100)], NOW)

    def known() -> list[str]:
        return [row["key"] for row in subject.windows.rows(NOW)]

    subject.replace([keys["a"], UpstreamKey("b", "sk-false-other"), replace(keys["c"], name="renamed")], NOW)
    assert known() == ["a", "renamed"]
    subject.replace([], NOW)
    subject.windows.note(ENVIRONMENT, [LimitWindow("5h", 0.5, NOW + 100)], NOW)
    subject.replace([], NOW)
    assert known() == [ENVIRONMENT]
    subject.forget_login()
    assert known() == []


RELAY = "https://relay.example"


def two_upstreams(*, relay: str = "a") -> KeyRing:
    return KeyRing(
        [UpstreamKey(name, f"sk-false-{name}", RELAY if name == relay else None) for name in NAMES], cooldown_seconds=60
    )


def goes_down(subject: KeyRing, name: str, now: float = NOW) -> None:
    for request in ("one", "two"):
        subject.failed(name, FailureKind.UNAVAILABLE, now, request=request)


def test_while_an_upstream_does_not_answer_the_keys_of_another_are_used() -> None:
    subject = two_upstreams()
    assert chosen(subject) == "a"
    goes_down(subject, "a")
    assert (chosen(subject), chosen(subject, prefer="a"), chosen(subject, prefer="c")) == ("b", "b", "c")
    assert states(subject) == {"a": "active", "b": "ready", "c": "ready"}
    assert [row["unanswered_since"] for row in subject.snapshot(NOW)] == [NOW, None, None]
    assert (subject.outage(NOW), chosen(subject, NOW + 31)) == (None, "a")


def test_what_ends_an_outage() -> None:
    def answered(subject: KeyRing) -> None:
        subject.succeeded("a", NOW, 1)

    def refused(subject: KeyRing) -> None:
        subject.failed("a", FailureKind.RATE_LIMIT, NOW, reset_at=NOW + 1)

    def moved(subject: KeyRing) -> None:
        subject.replace([UpstreamKey("a", "sk-false-a", OTHER)], NOW)
        subject.replace([UpstreamKey("a", "sk-false-a", RELAY)], NOW)

    for ends in (answered, refused, moved):
        subject = two_upstreams()
        goes_down(subject, "a")
        ends(subject)
        assert next(row["unanswered_since"] for row in subject.snapshot(NOW)) is None, ends.__name__


OTHER = "https://other.example"


def test_an_address_that_has_failed_this_request_is_its_last_choice() -> None:
    subject = two_upstreams()

    def choice(*avoid: str) -> str:
        key = subject.choose(NOW, model="sonnet", avoid=avoid)
        assert isinstance(key, UpstreamKey)
        return key.name

    assert (choice(), choice(RELAY), choice(RELAY, ""), choice("")) == ("a", "b", "a", "a")
    goes_down(subject, "a")
    assert (choice(), choice(RELAY), choice(RELAY, ""), choice("")) == ("b", "b", "b", "a")


def test_one_upstream_that_does_not_answer_is_asked_all_the_same() -> None:
    subject = ring()
    goes_down(subject, "a")
    assert chosen(subject) == "a"
    outage = subject.outage(NOW)
    assert outage is not None
    assert outage.since == NOW


def test_a_late_answer_from_another_address_ends_no_outage() -> None:
    old, new = (UpstreamKey("a", "sk-false-1", base_url=f"https://{host}.example.org") for host in ("old", "new"))
    subject = KeyRing([old], cooldown_seconds=60.0)
    subject.replace([new], NOW)
    for request in ("r1", "r2"):
        subject.failed("a", FailureKind.UNAVAILABLE, NOW, request=request, digest=new.digest)
    assert subject.outage(NOW)
    subject.succeeded("a", NOW, 5, digest=old.digest)
    assert subject.outage(NOW)
    subject.succeeded("a", NOW, 5, digest=new.digest)
    assert not subject.outage(NOW)


def test_keys_that_cannot_be_used_do_not_hide_an_outage() -> None:
    subject = two_upstreams()
    goes_down(subject, "a")
    for name in ("b", "c"):
        subject.failed(name, FailureKind.AUTHENTICATION, NOW)
    assert subject.outage(NOW)
    assert chosen(subject) == "a"


def test_the_logins_upstream_has_outages_too() -> None:
    subject = KeyRing([], cooldown_seconds=60)
    goes_down(subject, ENVIRONMENT)
    assert subject.outage(NOW)
    assert isinstance(subject.choose(NOW, model=None), NoKeys)
    subject.succeeded(ENVIRONMENT, NOW, 1)
    assert subject.outage(NOW) is None


def test_a_failure_of_a_replaced_token_says_nothing_about_its_upstream() -> None:
    subject = ring("a")
    for request in ("one", "two"):
        subject.failed("a", FailureKind.UNAVAILABLE, NOW, digest="another", request=request)
    assert subject.outage(NOW) is None
