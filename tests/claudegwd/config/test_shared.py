from __future__ import annotations

import pytest

from claudegwd.config import Config
from claudegwd.config.schema import SharedConfig
from claudegwd.config.shared import SharedPlace, check_shared, read_place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("valkey://10.0.0.2", SharedPlace("10.0.0.2")),
        ("redis://store.lan:7000/3", SharedPlace("store.lan", 7000, database=3)),
        ("valkeys://gateway@store.lan/", SharedPlace("store.lan", tls=True, user="gateway")),
        ("rediss://[fd00::2]:6380", SharedPlace("fd00::2", 6380, tls=True)),
        ("unix:///run/valkey/valkey.sock", SharedPlace(path="/run/valkey/valkey.sock")),
        ("unix:///run/a%20b.sock?db=2", SharedPlace(path="/run/a b.sock", database=2)),
    ],
)
def test_places(url: str, place: SharedPlace) -> None:
    assert read_place(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.2:6379", "http://10.0.0.2", "valkey://", "valkey://host:0", "valkey://host:99999", "valkey://host/x",
        "valkey://host?db=1", "valkey://host/1#a", "valkey://ho st", "unix://run/valkey.sock", "unix:///a?x=1",
        "valkey://a..b", f"valkey://{'x' * 64}",
    ],
)  # fmt: skip
def test_what_is_no_place(url: str) -> None:
    found = check_shared(Config(shared=SharedConfig(url=url)))
    assert found is not None
    assert found[0] == "shared.url"
    assert found[1].startswith("must ")


@pytest.mark.parametrize("url", ["valkey://:sk-false-1@host", "redis://me:sk-false-1@host/1", "unix://:sk-false-1@/a"])
def test_a_password_is_refused_and_not_shown(url: str) -> None:
    found = check_shared(Config(shared=SharedConfig(url=url)))
    assert found is not None
    assert "shared.password_file" in found[1]
    assert "sk-false-1" not in found[1]


def test_nothing_is_shared_by_default() -> None:
    assert check_shared(Config()) is None


def test_what_people_read_of_a_place() -> None:
    assert str(read_place("valkeys://me@[fd00::2]")) == "[fd00::2]:6379"
    assert str(read_place("unix:///run/v.sock")) == "/run/v.sock"
