from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claudegwd.config.check import auth_required, build, flatten
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import AuthConfig, Config, ServerConfig
from claudegwd.workers.process.process import MAX_UNWRITTEN_BYTES


def made(values: dict[str, Any]) -> Config:
    return build(values, lambda key: ("config.toml", key))


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        made(values)
    return str(caught.value).removeprefix("cannot use config.toml: ")


def flat_refusal(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        flatten(data, "config.toml")
    return str(caught.value).removeprefix("cannot use config.toml: ")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"sever": {}}, "sever is an unknown section: did you mean [server]?"),
        ({"zzz": {}}, "zzz is an unknown section: the sections are [server], [control]"),
        ({"server": {"bnd": 1}}, "server.bnd is an unknown setting; did you mean server.bind?"),
        (
            {"control": {"idle_second": 1}},
            "control.idle_second is an unknown setting; did you mean workers.",
        ),
        ({"log": {"zzz": 1}}, "log.zzz is an unknown setting: [log] has level, format"),
        ({"bind": ["x"]}, "bind is outside any section: move it below [server]"),
        ({"server": "127.0.0.1:8000"}, "server is a section: put [server] on a line of its own"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(data: dict[str, Any], said: str) -> None:
    assert flat_refusal(data).startswith(said)


def test_workspaces_are_among_the_sections() -> None:
    assert flat_refusal({"zzz": {}}).endswith("[log], [workspaces.NAME]")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("limits.queue", "many", 'a whole number from 0 to 100000, not "many"'),
        ("limits.queue", -1, "not -1"),
        ("limits.queue", True, "not true"),
        ("limits.queue", 1.5, "not 1.5"),
        ("limits.queue", 10**300, "not a number of 301 digits"),
        ("limits.queue_seconds", float("nan"), "a number of seconds from 0 to 3600, not nan"),
        ("limits.queue_seconds", float("inf"), "not inf"),
        ("limits.request_seconds", 0, "a number of seconds from 1 to 86400, not 0"),
        ("auth.required", "maybe", 'true, false or "auto", not "maybe"'),
        ("log.level", "LOUD", '"debug", "info", "warning" or "error", not "LOUD"'),
        ("server.bind", "x:1", 'a list such as ["127.0.0.1:8000"], not "x:1"'),
        ("server.bind", [], "not an empty list"),
        ("server.bind", ["x:1", 2], "not a list with 2"),
        ("claude.models", ["good", "--bad"], 'not a list with "--bad"'),
        ("claude.aliases", {"good": "x", "bad one": "y"}, 'not a table with "bad one" = "y"'),
        ("claude.binary", "", 'not ""'),
        ("claude.version", "latest", '"pinned", "newest" or a version such as "2.1.332", not "latest"'),
        ("claude.version", "../x", 'not "../x"'),
        ("control.group", "two words", 'the name of a group, not "two words"'),
        ("workers.recycle", "yes", 'true or false, not "yes"'),
    ],
)
def test_a_wrong_value_is_told_what_to_write(key: str, value: object, said: str) -> None:
    text = refusal({key: value})
    assert text.startswith(f"{key} must be ")
    assert text.endswith(said)


def test_a_token_in_the_wrong_place_is_not_shown() -> None:
    assert "sk-false" not in refusal({"log.level": "sk-false-0123456789"})
    assert "sk-false" not in refusal({"server.bind": ["sk-false-0123456789"]})


@pytest.mark.parametrize(
    "origin",
    ["chat.lan", "https://chat.lan/", "https://a@b", "https://", "https://x:0", "*.lan", "*", "https://A.lan",
     "https://chat.lan:443", "http://chat.lan:80", "https://b\u00fccher.lan"],
)  # fmt: skip
def test_no_origins(origin: str) -> None:
    assert refusal({"server.cors_origins": [origin]}).startswith("server.cors_origins cannot contain ")


def test_origins_and_hosts() -> None:
    made({"server.cors_origins": ["https://chat.lan", "http://localhost:3000", "http://a:443", "app://obsidian.md"]})
    made({"server.allowed_hosts": ["gateway.lan", "10.0.0.1", "claude_gateway"]})
    made({"server.trusted_proxies": ["127.0.0.1", "10.0.0.0/24", "fd00::/8"]})
    for wrong in ("proxy.lan", "10.0.0.5/24", "0.0.0.0/0", "::/0", ""):
        assert refusal({"server.trusted_proxies": [wrong]}).startswith("server.trusted_proxies cannot contain ")
    assert refusal({"server.allowed_hosts": ["http://gateway.lan"]}).startswith("server.allowed_hosts cannot contain ")
    assert refusal({"server.allowed_hosts": ["Gateway.lan"]}).startswith("server.allowed_hosts cannot contain ")


def test_hosts_to_fetch_from() -> None:
    made({"server.fetch_hosts": ["images.example.org", ".example.org", "*"]})
    for host in ("https://example.org", "*.example.org", "..example.org", "a..b", ""):
        assert refusal({"server.fetch_hosts": [host]}).startswith("server.fetch_hosts cannot contain ")


def test_an_alias_of_an_alias() -> None:
    assert "another alias" in refusal({"claude.aliases": {"a": "b", "b": "sonnet"}})


@pytest.mark.parametrize("table", [{"a": ["a"]}, {"a": ["x", "b"], "b": ["c"], "c": ["a"]}])
def test_a_model_that_would_stand_in_for_itself(table: dict[str, list[str]]) -> None:
    assert refusal({"claude.fallback": table}).startswith('claude.fallback leads from "a" back to itself')


def test_models_that_stand_in_for_others() -> None:
    made({"claude.fallback": {"a": ["b", "c"], "b": ["c"]}})
    assert refusal({"claude.fallback": {"a": "b"}}).endswith('not a table with "a" = "b"')


def test_more_spares_than_workers() -> None:
    assert refusal({"workers.spares": 9}).startswith("workers.spares cannot be 9 while workers.max is 8")


def test_authentication_cannot_be_off_where_others_can_reach_us() -> None:
    text = refusal({"auth.required": False, "server.bind": ["127.0.0.1:1", "0.0.0.0:8000"]})
    assert text.startswith('auth.required cannot be false while server.bind contains "0.0.0.0:8000"')
    assert "claudegwctl clients create" in text
    made({"auth.required": False, "server.bind": ["127.0.0.1:1", "[::1]:1", "localhost:1"]})


@pytest.mark.parametrize(
    ("required", "bind", "asked"),
    [
        ("auto", ("127.0.0.1:1",), False),
        ("auto", ("127.0.0.1:1", "0.0.0.0:1"), True),
        (True, ("127.0.0.1:1",), True),
        (False, ("127.0.0.1:1",), False),
    ],
)
def test_whether_a_key_is_asked_for(required: Any, bind: tuple[str, ...], asked: bool) -> None:
    config = msgspec.structs.replace(Config(), server=ServerConfig(bind=bind), auth=AuthConfig(required=required))
    assert auth_required(config) is asked


def test_sockets_from_outside_count_as_well() -> None:
    outside = ["0.0.0.0:80"]
    assert auth_required(Config(), outside)
    with pytest.raises(ConfigError, match=r"auth\.required cannot be false"):
        auth_required(Config(auth=AuthConfig(required=False)), outside)


def test_one_setting_says_which_cli() -> None:
    said = refusal({"claude.binary": "/opt/claude", "claude.version": "newest"})
    assert said.startswith("claude.version cannot be combined with claude.binary")
    assert made({"claude.binary": "/opt/claude", "claude.version": "pinned"}).claude.binary == "/opt/claude"


def test_a_body_that_is_accepted_can_be_sent_to_a_cli() -> None:
    made({"server.max_body_bytes": 96 * 2**20})
    assert MAX_UNWRITTEN_BYTES > 96 * 2**20
    said = "server.max_body_bytes must be a number of bytes from 1024 to 100663296, not 134217728"
    assert refusal({"server.max_body_bytes": MAX_UNWRITTEN_BYTES}) == said
