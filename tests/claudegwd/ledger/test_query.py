from __future__ import annotations

import pytest

from claudegwd.ledger.query import (
    UsageQuery,
    UsageQueryError,
    answer,
    read_query,
    read_since,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("90m", NOW - 5400),
        ("12h", NOW - 43_200),
        (" 7D ", NOW - 604_800),
        ("2w", NOW - 1_209_600),
        ("2023-11-01", 1_698_796_800.0),
        ("2023-11-01T12:00", 1_698_840_000.0),
        ("2023-11-01T12:00+01:00", 1_698_836_400.0),
    ],
)
def test_times(text: str, since: float) -> None:
    assert read_since(text, NOW) == since


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "7y", "1e9d", "٧d", "2023-13-01", "9" * 400 + "d"])
def test_what_is_no_time_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageQueryError, match="use for example 7d, 12h"):
        read_since(text, NOW)


def test_a_question() -> None:
    assert read_query({}, NOW) == UsageQuery(NOW - 604_800, ("client",))
    asked = read_query({"by": " day,model,day ", "client": "laptop", "since": "1h"}, NOW)
    assert asked == UsageQuery(NOW - 3600, ("day", "model"), "laptop")
    assert read_query({"by": ""}, NOW).by == ()


def test_what_cannot_be_added_up_by_is_refused_with_what_can() -> None:
    with pytest.raises(UsageQueryError, match="client, key, model, answered, route, how, day, hour") as refused:
        read_query({"by": "client,colour"}, NOW)
    assert refused.value.param == "by"
    with pytest.raises(UsageQueryError, match="one or more of model, day, hour"):
        read_query({"by": "key"}, NOW, ("model", "day", "hour"))


def test_nothing_is_older_than_the_epoch() -> None:
    assert read_since("999999w", NOW) == 0.0


def test_an_answer() -> None:
    rows = [
        ("laptop", 1, 3, 100, 20, 40, 10, 5, 2, 300, 900, 2, 1, 0.25, 2, 0, 1),
        ("phone", 0, 1, 7, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0.0),
    ]
    body = answer(UsageQuery(NOW), rows, (1, 4, 107, 21, 40, 10, 5, 2, 300, 900, 2, 2, 0.25))
    first, second = body["rows"]
    assert first == {
        "client": "laptop", "requests": 3, "errors": 1, "prompt_tokens": 100, "completion_tokens": 20,
        "cached_tokens": 40, "cache_write_tokens": 10, "reasoning_tokens": 5, "cost_usd": 0.25,
        "web_search_requests": 2, "web_fetch_requests": 0, "code_execution_requests": 1, "without_cost": 1,
        "first_token_ms": 150, "request_ms": 300,
    }  # fmt: skip
    assert (second["cost_usd"], second["first_token_ms"]) == (None, None)
    total = body["total"]
    assert (total["requests"], total["prompt_tokens"], total["without_cost"], total["errors"]) == (4, 107, 2, 1)
    assert "rows_left_out" not in body


def test_days_and_hours_are_written_out_and_what_is_left_out_is_said() -> None:
    rows = [(1_700_006_400, 1_700_010_000, 0, 1), (1_700_006_400, 1_700_013_600, 0, 2)]
    body = answer(UsageQuery(NOW, ("day", "hour")), rows, (0, 5), 1)
    assert [(row["day"], row["hour"], row["requests"]) for row in body["rows"]] == [
        ("2023-11-15", "2023-11-15T01:00Z", 1),
        ("2023-11-15", "2023-11-15T02:00Z", 2),
    ]
    assert (body["total"]["requests"], body["rows_left_out"]) == (5, 1)
