"""How a change of a key's state, and an outage of its upstream, appear in the log."""

import logging

import pytest

from claudegwd.gateway.key_log import clock_text, log_key_news, log_outage
from claudegwd.keys.answers import ENVIRONMENT
from claudegwd.keys.news import KeyNews
from claudegwd.keys.states import KeyState

A, BAD, C, R = KeyState.ACTIVE, KeyState.INVALID, KeyState.COOLING, KeyState.READY


@pytest.mark.parametrize(
    ("before", "after", "usable", "keys", "level"),
    [
        (A, BAD, 0, 2, logging.ERROR),
        (A, C, 1, 2, logging.WARNING),
        (A, None, 0, 1, logging.ERROR),
        (A, None, 0, 0, logging.INFO + 10),  # the login is used from now on
        (BAD, R, 1, 1, logging.INFO),
        (None, R, 1, 1, logging.INFO),
        (C, BAD, 0, 1, logging.INFO),
    ],
)
def test_the_level_says_how_bad_it_is(
    caplog: pytest.LogCaptureFixture,
    before: KeyState | None,
    after: KeyState | None,
    usable: int,
    keys: int,
    level: int,
) -> None:
    caplog.set_level(logging.INFO)
    log_key_news(KeyNews("work", before, after, "rate_limit 429", 1_700_000_000.0, usable, keys))
    (record,) = caplog.records
    assert record.levelno == level
    assert record.__dict__["fields"] == {
        "key": "work", "state": before.value if before else "new", "to": after.value if after else "removed",
        "reason": "rate_limit 429", "until": "2023-11-14T22:13:20+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "upstream"),
    [
        ("", "api.anthropic.com"),
        ("https://relay.example:8443/a-secret/path", "relay.example:8443"),
        (ENVIRONMENT, None),
    ],
)
def test_an_outage_names_the_host_only(caplog: pytest.LogCaptureFixture, address: str, upstream: str | None) -> None:
    caplog.set_level(logging.INFO)
    log_outage(address, 1_700_000_000.0)
    log_outage(address, None)
    began, ended = caplog.records
    assert (began.levelno, ended.levelno) == (logging.WARNING, logging.INFO)
    assert began.__dict__["fields"] == {"upstream": upstream, "since": "2023-11-14T22:13:20+00:00"}
    assert ended.__dict__["fields"] == {"upstream": upstream}


def test_no_time_is_no_text() -> None:
    assert clock_text(None) is None
