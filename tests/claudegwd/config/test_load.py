from __future__ import annotations

import grp
from pathlib import Path

import pytest

from claudegwd.config import ConfigError, load
from claudegwd.config.fields import KEYS

GROUP = grp.getgrall()[0].gr_name  # one that this machine has

# Every key with a value other than its default, as it stands in the manual.
WHOLE = f"""
[server]
bind = ["127.0.0.1:9000", "[::1]:9000"]
max_body_bytes = 2048
allowed_hosts = ["gateway.lan"]
trusted_proxies = ["10.0.0.1"]
fetch_hosts = ["images.example.org"]
cors_origins = ["https://chat.lan", "http://localhost:3000"]
[control]
socket = "/run/x/control.sock"
group = "{GROUP}"
[auth]
required = true
[limits]
requests_per_minute = 5
tokens_per_minute = 6
concurrent_requests = 7
queue = 8
queue_seconds = 9.5
request_seconds = 10
[claude]
version = "pinned"
binary = "/opt/claude"
default_model = "opus"
models = ["claude-x"]
aliases = {{ "gpt-4o" = "sonnet" }}
system = "plain"
server_tools = ["web_search"]
fallback = {{ opus = ["sonnet"] }}
[workers]
spares = 2
max = 3
idle_seconds = 4
parked_seconds = 5
share = true
carrier = "transcript"
recycle = true
[keys]
file = "other.json"
cooldown_seconds = 11
hold_seconds = 12
order = "headroom"
shell_files = ["~/.bashrc"]
watch = true
[notify]
command = ["/bin/sh", "-c", "cat"]
url = "https://hooks.example.org/gateway"
[responses]
keep = "disk"
keep_seconds = 3600
[shared]
url = "valkeys://gateway@store.lan:7000/1"
password_file = "shared.password"
secret_file = "shared.secret"
ca_file = "store.pem"
local_share = 0.25
machine = "one"
[log]
content = true
level = "debug"
format = "json"
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problem(file: Path, text: str, env: dict[str, str] | None = None) -> ConfigError:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, env or {})
    return caught.value


def test_every_key_can_be_set_in_the_file(config_file: Path) -> None:
    config_file.write_text(WHOLE)
    loaded = load(config_file, {})
    assert loaded.exists
    assert loaded.path == config_file
    assert set(loaded.sources.values()) == {"file"}
    assert set(KEYS) - set(loaded.sources) == set(), "add each new key to WHOLE"
    config = loaded.config
    assert config.server.bind == ("127.0.0.1:9000", "[::1]:9000")
    assert config.limits.queue_seconds == 9.5
    assert config.auth.required is True
    assert config.claude.aliases == {"gpt-4o": "sonnet"}
    assert config.workers.recycle is True
    assert "log.content is on" in loaded.warnings[-1]


def test_an_empty_file_gives_the_defaults(config_file: Path) -> None:
    config_file.write_text("")
    config = load(config_file, {}).config
    assert config.server.bind == ("127.0.0.1:8000",)
    assert config.server.max_body_bytes == 33_554_432
    assert config.auth.required == "auto"
    assert (config.limits.requests_per_minute, config.limits.queue, config.limits.request_seconds) == (100, 64, 600)
    assert (config.claude.binary, config.claude.default_model) == ("auto", "sonnet")
    assert (config.workers.spares, config.workers.max, config.workers.parked_seconds) == (1, 8, 900)
    assert (config.keys.cooldown_seconds, config.keys.hold_seconds) == (60, 20)
    assert (config.log.level, config.log.format) == ("info", "auto")


def test_no_file_at_the_usual_place_is_fine(tmp_path: Path) -> None:
    loaded = load(None, {"CONFIGURATION_DIRECTORY": str(tmp_path)})
    assert not loaded.exists
    assert loaded.path == tmp_path / "config.toml"


def test_a_named_file_has_to_exist(config_file: Path) -> None:
    for path, env in ((config_file, {}), (None, {"CLAUDEGWD_CONFIG": str(config_file)})):
        with pytest.raises(ConfigError, match=f"cannot use {config_file}: there is no such file"):
            load(path, env)


def test_the_option_wins_over_the_variable(config_file: Path, tmp_path: Path) -> None:
    config_file.write_text("[workers]\nmax = 3\n")
    loaded = load(config_file, {"CLAUDEGWD_CONFIG": str(tmp_path / "absent.toml")})
    assert loaded.config.workers.max == 3


def test_the_environment_wins_over_the_file(config_file: Path) -> None:
    config_file.write_text("[workers]\nmax = 3\n[limits]\nrequests_per_minute = 1\n")
    env = {"CLAUDEGWD_WORKERS__MAX": "5", "RATE_LIMIT_REQUESTS_PER_MINUTE": "7"}
    loaded = load(config_file, env)
    assert loaded.config.workers.max == 5
    assert loaded.config.limits.requests_per_minute == 7
    assert loaded.sources == {
        "workers.max": "CLAUDEGWD_WORKERS__MAX",
        "limits.requests_per_minute": "RATE_LIMIT_REQUESTS_PER_MINUTE",
    }


def test_an_error_names_the_file_and_the_key(config_file: Path) -> None:
    error = problem(config_file, "[limits]\nqueue = 'many'\n")
    assert (error.file, error.key) == (str(config_file), "limits.queue")
    assert str(error).startswith(f"cannot use {config_file}: limits.queue must be ")


def test_an_error_of_a_variable_names_the_variable(config_file: Path) -> None:
    error = problem(config_file, "[limits]\nqueue = 1\n", {"CLAUDEGWD_LIMITS__QUEUE": "many"})
    assert (error.file, error.key) == ("the environment", "CLAUDEGWD_LIMITS__QUEUE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server\n", "not valid TOML"),
        ("x = " + "[" * 5000, "too long or too deep"),
        ("x = " + "9" * 5000, "too long or too deep"),
        ("# " + "x" * 1_048_576, "larger than 1048576 bytes"),
    ],
    ids=["syntax", "depth", "digits", "size"],
)
def test_a_file_that_is_no_configuration(config_file: Path, text: str, said: str) -> None:
    assert said in str(problem(config_file, text))


def test_a_syntax_error_says_line_and_column(config_file: Path) -> None:
    assert "line 3, column 8" in str(problem(config_file, "[workers]\nmax = 1\nidle = \n"))


def test_bytes_that_are_not_utf8(config_file: Path) -> None:
    config_file.write_bytes(b"[workers]\n# \xff\n")
    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        load(config_file, {})


def test_a_directory_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {})


def test_secrets_are_in_no_repr(config_file: Path) -> None:
    config_file.write_text("")
    env = {"API_KEYS": "sk-false-client-1,sk-false-client-2", "CLAUDE_API_KEYS": '[{"token": "sk-false-upstream-1"}]'}
    loaded = load(config_file, env)
    assert loaded.secrets.api_keys == ("sk-false-client-1", "sk-false-client-2")
    assert loaded.secrets.claude_api_keys == env["CLAUDE_API_KEYS"]
    assert "sk-false" not in repr(loaded)
    assert "sk-false" not in " ".join(loaded.warnings)


@pytest.mark.parametrize(("length", "fits"), [(103, True), (104, False)])
def test_a_socket_path_that_is_too_long(tmp_path: Path, length: int, fits: bool) -> None:
    file = tmp_path / "config.toml"
    path = "/" + "x" * (length - 1)
    file.write_text(f'[control]\nsocket = "{path}"\n')
    if fits:
        assert load(file, {}).config.control.socket == path
        return
    with pytest.raises(ConfigError, match=r"config\.toml: control\.socket is a path of 104 bytes, but .* at most 103"):
        load(file, {})
    with pytest.raises(ConfigError, match=r"CLAUDEGWD_CONTROL__SOCKET is a path of 105 bytes"):
        load(file, {"CLAUDEGWD_CONTROL__SOCKET": path + "x"})


def test_a_group_that_does_not_exist(tmp_path: Path) -> None:
    """It waits for a restart, so a reload that took it would leave a daemon that cannot start."""
    file = tmp_path / "config.toml"
    file.write_text('[control]\ngroup = "no-such-group"\n')
    with pytest.raises(ConfigError, match=r"config\.toml: control\.group names a group that does not exist"):
        load(file, {})


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[limits]\nqueue = 7\n", encoding="utf-8-sig")
    assert load(file, {}).config.limits.queue == 7


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[workers]\nmx = 1\nspares = 'no'\n[nonsense]\n[log]\nlevel = 'loud'\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {"CLAUDEGWD_LIMITS__QUEUE": "many"})
    said = str(caught.value).splitlines()
    assert len(said) == 5
    assert all(line.startswith("cannot use ") for line in said)
    wrong = ("log.level", "nonsense", "workers.mx", "workers.spares", "CLAUDEGWD_LIMITS__QUEUE")
    assert all(any(name in line for line in said) for name in wrong)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("control", "socket", '"~nobody-of-that-name/x"'),
        ("claude", "binary", '"~nobody-of-that-name/x"'),
        ("keys", "file", '"~nobody-of-that-name/x"'),
        ("keys", "shell_files", '["~/a", "~nobody-of-that-name/x"]'),
        ("shared", "secret_file", '"~nobody-of-that-name/x"'),
    ],
)
def test_the_home_of_a_user_that_there_is_not(config_file: Path, section: str, key: str, value: str) -> None:
    config_file.write_text(f"[{section}]\n{key} = {value}\n")
    with pytest.raises(ConfigError, match=rf'{section}.{key} begins with "~nobody-of-that-name", but there is no such'):
        load(config_file, {})


@pytest.mark.parametrize("name", ["CLAUDEGWD_CONFIG", "CLAUDEGWD_SOCKET", "CLAUDEGWD_KEYS__FILE"])
def test_so_in_the_environment(name: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot use the environment: {name} begins with"):
        load(None, {name: "~nobody-of-that-name/x"})


def test_servers_of_a_workspace_in_the_home_of_a_user_that_there_is_not(config_file: Path, tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    directory.mkdir()
    mcp = "~nobody-of-that-name/x"
    config_file.write_text(f'[workspaces.repo]\ndirectory = "{directory}"\nmcp = "{mcp}"\n')
    with pytest.raises(ConfigError, match=r"workspaces.repo.mcp is not an existing file"):
        load(config_file, {})


def test_bytes_in_a_variable_that_are_not_utf8(config_file: Path) -> None:
    config_file.touch()
    with pytest.raises(ConfigError, match="CLAUDEGWD_WORKERS__MAX must be a whole number"):
        load(config_file, {"CLAUDEGWD_WORKERS__MAX": "\udcff"})
