from __future__ import annotations

from claudegwd.claude_cli.limit_windows import LimitWindow
from claudegwd.keys.windows import KEYS_MAX, UNDATED_SECONDS, WINDOWS_MAX, Windows

NOW = 1_700_000_000.0
FIVE = LimitWindow("5h", 0.62, NOW + 100, "allowed")
WEEK = LimitWindow("7d", 0.31, NOW + 1000, "allowed", extra=True)


def test_the_fullest_window_counts_until_its_reset() -> None:
    windows = Windows()
    windows.note("a", [FIVE, WEEK], NOW)
    assert windows.used("a", NOW) == 0.62
    assert windows.used("a", NOW + 100) == 0.31
    assert windows.used("a", NOW + 1000) == 0.0
    assert windows.used("b", NOW) == 0.0
    assert windows.rows(NOW + 100) == [
        {"key": "a", "window": "7d", "used": 0.31, "resets": NOW + 1000, "status": "allowed", "extra_usage": True,
         "seen": NOW}
    ]  # fmt: skip


def test_a_window_without_a_reset_is_forgotten_after_a_minute() -> None:
    windows = Windows()
    windows.note("a", [LimitWindow("tokens", 0.5, None)], NOW)
    assert windows.used("a", NOW + UNDATED_SECONDS - 1) == 0.5
    assert windows.used("a", NOW + UNDATED_SECONDS) == 0.0


def test_a_full_window_is_told_once_until_its_reset() -> None:
    windows = Windows()
    told: list[tuple[str, str, float, float | None]] = []
    windows.on_full = lambda *news: told.append(news)
    for used, now in ((0.89, NOW), (0.9, NOW + 1), (0.95, NOW + 2), (0.91, NOW + 101)):
        windows.note("a", [FIVE._replace(used=used, resets=NOW + 100 if now < NOW + 100 else NOW + 200)], now)
    assert told == [("a", "5h", 0.9, NOW + 100), ("a", "5h", 0.91, NOW + 200)]


def test_it_is_bounded() -> None:
    windows = Windows()
    for number in range(KEYS_MAX + 1):
        windows.note(f"key{number}", [FIVE], NOW)
    windows.note("key0", [FIVE._replace(name=f"window{number}") for number in range(WINDOWS_MAX + 1)], NOW)
    rows = windows.rows(NOW)
    assert len(rows) == KEYS_MAX + WINDOWS_MAX - 1


def test_what_is_known_goes_with_a_keys_new_name_and_ends_with_the_key() -> None:
    windows = Windows()
    told: list[str] = []
    windows.on_full = lambda key, *_: told.append(key)
    for key in ("a", "b", "c"):
        windows.note(key, [FIVE._replace(used=0.95)], NOW)
    windows.follow({"a": "a", "other": "b"})
    assert [row["key"] for row in windows.rows(NOW)] == ["a", "other"]
    windows.note("other", [FIVE._replace(used=0.96)], NOW)
    assert told == ["a", "b", "c"], "nobody is told again because of a name"
