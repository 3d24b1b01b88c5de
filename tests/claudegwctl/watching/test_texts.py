from __future__ import annotations

from typing import Any

import pytest

from claudegwctl.watching import texts
from claudegwctl.watching.columns import fitted
from claudegwd.workers.question.running_request import RequestState
from tests.claudegwctl.commands.test_status import STATUS

USAGE = {"requests": 42, "errors": 2, "prompt_tokens": 12345, "completion_tokens": 678, "cost_usd": 1.5}


def row(client: str = "laptop", model: str = "sonnet", **more: Any) -> dict[str, Any]:
    return {
        "request_id": "req_1", "client": client, "model": model, "route": "/v1/responses", "stream": True,
        "state": "streaming", "age_seconds": 4.2, "first_token_seconds": 0.61, "output_tokens": 1180,
        "tokens_per_second": 50.1, "worker": 4243, "how": "warm", "key": "primary", "attempts": 1, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0, "0.00 s"), (0.61, "0.61 s"), (4.24, "4.2 s"), (9.96, "10.0 s"), (10, "10 s"), (59.4, "59 s"),
     (59.6, "1:00"), (200, "3:20"), (3599.6, "1:00:00"), (86_399, "23:59:59")],
)  # fmt: skip
def test_times_are_short(seconds: float | None, said: str) -> None:
    assert texts.short_time(seconds) == said


def test_a_request_at_three_widths() -> None:
    def shown(width: int) -> list[str]:
        rows = [row(model="claude-sonnet-4-20250514"), row(client="")]
        return [" ".join(line.split()) for line in fitted(texts.REQUESTS, rows, width)]

    assert shown(60)[:2] == [
        "client model state age first tok/s",
        "laptop claude-sonnet-4-20… streaming 4.2 s 0.61 s 50",
    ]
    assert shown(80)[0] == "client model state age first tok/s worker key"
    assert shown(120)[1:] == [
        "laptop claude-sonnet-4-20250514 streaming 4.2 s 0.61 s 50 1,180 4243 primary warm req_1",
        "(no key) sonnet streaming 4.2 s 0.61 s 50 1,180 4243 primary warm req_1",
    ]


def test_a_request_that_waits() -> None:
    waiting = row(
        state="queued", first_token_seconds=None, tokens_per_second=None, output_tokens=0, worker=None, key=None, how=""
    )
    assert fitted(texts.REQUESTS, [waiting], 80)[1].split() == ["laptop", "sonnet", "queued", "4.2", "s", "req_1"]


def test_every_state_of_a_request_has_its_word() -> None:
    assert set(texts.STATES) == {state.value for state in RequestState}
    assert max(map(len, texts.STATES.values())) <= 9


ROWS = [
    row("b", "opus", age_seconds=1, tokens_per_second=None, state="waiting_first_token", key=None),
    row("a", "sonnet", age_seconds=3, tokens_per_second=90.0, key="z"),
    row("", "haiku", age_seconds=2, tokens_per_second=10.0, state="waiting_for_key", key="k"),
]


@pytest.mark.parametrize(
    ("sort", "clients"),
    [("age", ["a", "", "b"]), ("client", ["", "a", "b"]), ("model", ["", "b", "a"]), ("state", ["", "b", "a"]),
     ("tok/s", ["a", "", "b"]), ("key", ["b", "", "a"])],
)  # fmt: skip
def test_sorted(sort: str, clients: list[str]) -> None:
    assert [row["client"] for row in texts.sort_and_filter(ROWS, sort, "", backwards=False)] == clients
    assert [row["client"] for row in texts.sort_and_filter(ROWS, sort, "", backwards=True)] == clients[::-1]


def test_a_state_that_is_not_known_comes_first() -> None:
    found = texts.sort_and_filter([*ROWS, row("new", state="singing")], "state", "", backwards=False)
    assert found[0]["client"] == "new"
    assert "singing" in fitted(texts.REQUESTS, found, 80)[1]


@pytest.mark.parametrize(("wanted", "clients"), [("SONN", ["a"]), ("B", ["b"]), ("no key", [""]), ("x", [])])
def test_filtered(wanted: str, clients: list[str]) -> None:
    assert [row["client"] for row in texts.sort_and_filter(ROWS, "age", wanted, backwards=False)] == clients


def test_the_head() -> None:
    assert texts.gateway_line(STATUS) == ("claudegwd 1.2.3", "ready", "up 1 d 2 h")
    assert dict(texts.head({**STATUS, "usage": USAGE}, 0)) == {
        "requests": "2 active, 0 queued; 117 since start, 3 failed",
        "workers": "1 spare, 2 busy",
        "today": "42 requests, 2 failed; 12,345 tokens in, 678 out, $1.50",
    }
    assert dict(texts.head({**STATUS, "usage_lost": 7}, 0))["usage"].startswith("7 requests were never recorded")
    drained, problem, *_ = texts.head({**STATUS, "problem": "no key", "drained_since": 940.0}, 1000.0)
    assert drained == ("drained", "for 1 min, by the operator; `claudegwctl undrain` ends it")
    assert problem == ("problem", "no key")
    shut = dict(texts.head({**STATUS, "shuts_out": "nobody may use it", "content_logged": True}, 0))
    assert shut["clients"] == "nobody may use it"
    assert shut["log"] == "contains questions and answers (log.content)"


def test_in_windows_from_eight_lines_on_all_parts_have_room() -> None:
    for rows in range(8, 100):
        head = texts.room_for_head(rows)
        assert head >= 1
        for lines in range(1, min(head, 6) + 1):
            keys = texts.room_for_keys(rows, lines)
            requests = rows - lines - keys - 3
            assert keys >= 2
            assert requests >= 2


def test_a_daemon_that_says_little() -> None:
    assert texts.gateway_line({}) == ("claudegwd ", "unknown", "up 0 s")
    assert dict(texts.head({}, 0))["today"] == "no usage yet"


def test_keys_with_their_limits() -> None:
    windows = [{"key": "primary", "window": "5h", "used": 0.62, "resets": None, "extra_usage": False}]
    lines = fitted(texts.KEYS, texts.key_rows({**STATUS, "windows": windows}, 1000.0), 90)
    assert [" ".join(line.split()) for line in lines] == [
        "key state requests limits last error",
        "primary active 100 5 h: 62% used",
        "second cooling 3 min 20 s 1 rate_limit",
    ]


def test_without_keys_the_login_is_shown() -> None:
    status = {"login": "claude", "login_failure": {"error": "rejected as invalid (401)", "at": 0.0}}
    (found,) = texts.key_rows(status, 0.0)
    assert (found["name"], found["shown_state"], found["last_error"]) == (
        "no keys", "login: claude", "rejected as invalid (401)",
    )  # fmt: skip


def test_the_title_says_what_is_not_shown() -> None:
    assert texts.requests_title(2, 2, "age", "", backwards=False, paused=False) == "requests 2  by age"
    assert texts.requests_title(9, 1, "key", "x", backwards=True, paused=True) == (
        "requests 1 of 9  by key, reversed  with “x”  PAUSED: p resumes"
    )


def test_shortcuts_fit() -> None:
    for width in range(15, 130):
        assert len(texts.shortcuts(width)) <= max(width, 14)
        assert texts.shortcuts(width).endswith("? help  q quit")
