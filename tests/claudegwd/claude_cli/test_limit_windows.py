from __future__ import annotations

import json

import pytest

from claudegwd.claude_cli.events import RateLimit, decode_event
from claudegwd.claude_cli.limit_windows import LimitWindow, windows_of_event, windows_of_headers

SUBSCRIPTION = {
    "anthropic-ratelimit-unified-status": "allowed_warning",
    "anthropic-ratelimit-unified-5h-utilization": "0.62",
    "anthropic-ratelimit-unified-5h-reset": "1795910400",
    "anthropic-ratelimit-unified-5h-status": "allowed_warning",
    "anthropic-ratelimit-unified-7d-utilization": "0.31",
    "anthropic-ratelimit-unified-7d-reset": "1796310400",
}
KEY = {
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "900",
    "anthropic-ratelimit-requests-reset": "2026-11-28T21:00:00Z",
    "anthropic-ratelimit-input-tokens-limit": "400",
    "anthropic-ratelimit-input-tokens-remaining": "100",
}


def test_headers_of_a_subscription_and_of_a_key() -> None:
    assert windows_of_headers(SUBSCRIPTION) == [
        LimitWindow("5h", 0.62, 1795910400.0, "allowed_warning"),
        LimitWindow("7d", 0.31, 1796310400.0),
    ]
    assert windows_of_headers(KEY) == [
        LimitWindow("requests", pytest.approx(0.1), 1795899600.0),
        LimitWindow("input tokens", 0.75, None),
    ]
    paid = {**SUBSCRIPTION, "anthropic-ratelimit-unified-overage-in-use": "true"}
    assert all(window.extra for window in windows_of_headers(paid))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "7"},
        {"anthropic-ratelimit-unified-5h-utilization": "much"},
        {"anthropic-ratelimit-requests-limit": "0", "anthropic-ratelimit-requests-remaining": "0"},
        {"anthropic-ratelimit-requests-limit": "10"},
        {"anthropic-ratelimit-unified-overage-utilization": "0.5"},
    ],
)
def test_what_cannot_be_read_is_left_out(headers: dict[str, str]) -> None:
    assert windows_of_headers(headers) == []


def told(**info: object) -> list[LimitWindow]:
    event = decode_event(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode())
    assert isinstance(event, RateLimit)
    return windows_of_event(event.rate_limit_info)


def test_the_clis_event() -> None:
    windows = {
        "five_hour": {"utilization": 0.62, "resetsAt": 1795910400, "status": "allowed_warning"},
        "seven_day": {"utilization": 0.31, "resetsAt": 1796310400, "status": "allowed"},
    }
    both = told(
        status="allowed", resetsAt=1795910400, rateLimitType="five_hour", isUsingOverage=False, unifiedWindows=windows
    )
    assert both == [
        LimitWindow("5h", 0.62, 1795910400.0, "allowed"),
        LimitWindow("7d", 0.31, 1796310400.0, "allowed"),
    ]
    rejected = told(status="rejected", resetsAt=1796310400, rateLimitType="seven_day_opus", isUsingOverage=True)
    assert rejected == [LimitWindow("7d opus", 1.0, 1796310400.0, "rejected", extra=True)]
    assert told(status="allowed", resetsAt=5, rateLimitType="five_hour", utilization=0.5) == [
        LimitWindow("5h", 0.5, 5.0, "allowed")
    ]
    assert told(status="allowed", rateLimitType="five_hour") == []
    assert told(status="allowed") == []
    assert told(status="allowed", unifiedWindows=[1]) == [], "of a later version"
