from __future__ import annotations

from typing import Any

import pytest

from claudegwd.config.binds import is_loopback, split_bind
from claudegwd.config.check import build
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import Config


def made(values: dict[str, Any]) -> Config:
    return build(values, lambda key: ("config.toml", key))


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        made(values)
    return str(caught.value).removeprefix("cannot use config.toml: ")


@pytest.mark.parametrize(
    ("bind", "split"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:80", ("::1", 80)),
        ("[0:0::1]:80", ("::1", 80)),
        ("localhost:0", ("localhost", 0)),
        ("gateway.lan:65535", ("gateway.lan", 65535)),
    ],
)
def test_binds(bind: str, split: tuple[str, int]) -> None:
    assert split_bind(bind) == split


@pytest.mark.parametrize(
    "bind",
    ["", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
     "[::1]", "[::g]:1", "999.0.0.1:1", "unix:/run/x", "http://x:1", "a b:1", "-x:1", "127.0.0.1:٣", "x:1\n",
     "a..b:1", f"{'x' * 64}.lan:1"],
)  # fmt: skip
def test_no_binds(bind: str) -> None:
    assert refusal({"server.bind": [bind]}).startswith("server.bind must be an address with a port, such as ")


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("LOCALHOST:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.168.0.1:1", False),
        ("gateway.lan:1", False),
    ],
)
def test_who_can_reach_a_bind(bind: str, loopback: bool) -> None:
    assert is_loopback(bind) is loopback


def test_the_same_bind_twice() -> None:
    assert refusal({"server.bind": ["[::1]:8000", "[0::1]:8000"]}).startswith("server.bind lists ")
    made({"server.bind": ["127.0.0.1:0", "127.0.0.1:0"]})


@pytest.mark.parametrize(
    ("binds", "said"),
    [
        (["127.0.0.1:8000", "0.0.0.0:8000"], '"127.0.0.1:8000", which "0.0.0.0:8000" includes: remove one of them'),
        (["0.0.0.0:8000", "localhost:8000"], '"localhost:8000", which "0.0.0.0:8000" includes: remove one of them'),
        (["[::]:8000", "[::1]:8000"], '"[::1]:8000", which "[::]:8000" includes: remove one of them'),
    ],
)
def test_one_that_another_includes(binds: list[str], said: str) -> None:
    assert refusal({"server.bind": binds}) == f"server.bind lists {said}"


def test_those_of_two_families_are_different() -> None:
    made({"server.bind": ["[::]:8000", "0.0.0.0:8000"]})
    made({"server.bind": ["[::]:8000", "127.0.0.1:8000", "0.0.0.0:8001"]})
    made({"server.bind": ["0.0.0.0:0", "127.0.0.1:0"]})
