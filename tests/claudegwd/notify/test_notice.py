from __future__ import annotations

import json

import pytest

from claudegwd.keys.answers import ENVIRONMENT
from claudegwd.keys.news import KeyNews
from claudegwd.keys.states import KeyState
from claudegwd.limits.budget import read_budgets
from claudegwd.notify.notice import (
    Notice,
    NoticeEvent,
    of_budget,
    of_cli,
    of_key,
    of_login,
    of_no_credentials,
    of_outage,
    of_test,
    of_watchdog,
    of_window,
)
from claudegwd.notify.repeats import Repeats

NOW = 1_800_000_000.0


def news(before: KeyState | None, after: KeyState | None, usable: int, until: float | None = None) -> KeyNews:
    return KeyNews("work", before, after, "rate_limit 429: sk-false-1 said", until, usable, 2, until)


@pytest.mark.parametrize(
    ("happened", "events"),
    [
        (news(KeyState.ACTIVE, KeyState.INVALID, 1), [NoticeEvent.KEY_INVALID]),
        (news(KeyState.COOLING, KeyState.INVALID, 0), [NoticeEvent.KEY_INVALID]),
        (news(KeyState.ACTIVE, KeyState.INVALID, 0), [NoticeEvent.KEY_INVALID, NoticeEvent.KEYS_GONE]),
        (news(KeyState.READY, KeyState.EXHAUSTED, 1, NOW + 3600), [NoticeEvent.KEY_EXHAUSTED]),
        (news(KeyState.ACTIVE, KeyState.COOLING, 0, NOW + 60), [NoticeEvent.KEYS_GONE]),
        (news(KeyState.ACTIVE, KeyState.COOLING, 1, NOW + 60), []),
        (news(KeyState.COOLING, KeyState.READY, 1), []),
        (news(KeyState.INVALID, KeyState.READY, 1), []),
        (news(None, KeyState.READY, 1), []),
        (news(KeyState.ACTIVE, KeyState.DISABLED, 0), [NoticeEvent.KEYS_GONE]),
        (news(KeyState.ACTIVE, None, 0), [NoticeEvent.KEYS_GONE]),
    ],
)
def test_what_of_a_key_is_told(happened: KeyNews, events: list[NoticeEvent]) -> None:
    told = list(of_key(happened, NOW))
    assert [notice.event for notice in told] == events
    for notice in told:
        assert (notice.subject, notice.until) == ("work", happened.until)
        assert "said" not in notice.text, "what the upstream says may hold anything"


def test_used_up_credit_silences_no_other_reason_why_no_key_is_left() -> None:
    repeats = Repeats()
    spent, limited = (news(KeyState.ACTIVE, after, 0, NOW + 3600) for after in (KeyState.EXHAUSTED, KeyState.COOLING))
    for happened, events in (
        (spent, [NoticeEvent.KEY_EXHAUSTED, NoticeEvent.KEYS_GONE]),
        (spent, []),
        (limited, [NoticeEvent.KEYS_GONE]),
    ):
        assert [told.event for told in of_key(happened, NOW) if repeats.take(told)] == events


def test_the_command_to_replace_a_key_can_be_pasted_into_a_shell() -> None:
    (told,) = of_key(KeyNews("my key", KeyState.ACTIVE, KeyState.INVALID, "", None, 1, 2), NOW)
    assert "`claudegwctl keys add 'my key' --replace`" in told.text


def test_when_the_first_of_all_keys_is_back_not_only_the_last_one() -> None:
    disabled = KeyNews("work", KeyState.ACTIVE, KeyState.DISABLED, "changed", None, 0, 2, NOW + 60)
    (gone,) = of_key(disabled, NOW)
    assert gone.until == NOW + 60
    assert gone.text.endswith("the last one, work, is disabled; the first one is retried at 2027-01-15 08:01 UTC")


def test_the_json() -> None:
    body = of_window("work", "5h", 0.934, NOW + 600, NOW).body("gateway")
    assert body.endswith(b"\n")
    assert json.loads(body) == {
        "event": "window_full",
        "time": "2027-01-15T08:00:00Z",
        "host": "gateway",
        "subject": "work",
        "text": "93% of the 5h limit of the key work is used; it resets at 2027-01-15 08:10 UTC",
        "until": "2027-01-15T08:10:00Z",
    }
    assert json.loads(Notice(NoticeEvent.TEST, NOW, "ä\udc80", "x").body("h"))["subject"] == "ä?"


def test_each_says_whom_it_is_about() -> None:
    (budget,) = read_budgets("0.01usd/day")
    told = [
        of_budget("laptop", budget, NOW + 5, NOW), of_cli(NOW), of_login("ANTHROPIC_API_KEY", None, NOW), of_test(NOW),
        of_watchdog(NOW - 2, NOW), of_window(ENVIRONMENT, "7d", 0.9, None, NOW), of_outage(NOW - 300, NOW),
    ]  # fmt: skip
    assert [(notice.event.value, notice.subject, notice.until) for notice in told] == [
        ("budget_reached", "laptop", NOW + 5), ("cli_failing", "claude", None),
        ("keys_gone", "ANTHROPIC_API_KEY", None),
        ("test", "claudegwd", None), ("watchdog_restart", "claudegwd", None), ("window_full", ENVIRONMENT, None),
        ("upstream_failing", "upstream", None),
    ]  # fmt: skip
    assert "has not answered since 2027-01-15 07:55 UTC" in told[6].text
    assert "the client laptop has used up its budget of 0.01usd/day; it resets" in told[0].text
    assert "the login" in told[5].text
    gone = of_no_credentials("claude", NOW)
    assert (gone.event, gone.subject, gone.until) == (NoticeEvent.KEYS_GONE, "claude", None)
    limited = of_login("claude", NOW + 60, NOW)
    assert (limited.event, limited.until, limited.once_until) == (NoticeEvent.KEYS_GONE, NOW + 60, NOW + 60)
    assert "limits the login until 2027-01-15 08:01 UTC" in limited.text
