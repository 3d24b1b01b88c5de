"""The command line and the environment: nothing that is not meant to be there."""

from pathlib import PurePath

import pytest

from claudegwd.claude_cli import launch

HOME = PurePath("/scratch/1")
# What a daemon's environment may hold; each value is told by its name.
DAEMONS = {
    name: f"value of {name}"
    for name in (
        "PATH", "LANG", "TZ", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
        "HOME", "USER", "SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "NOTIFY_SOCKET", "LISTEN_FDS",
        "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "NODE_OPTIONS", "LD_PRELOAD", "CLAUDE_CONFIG_DIR", "CLAUDECODE",
        "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_EXTRA_BODY", "CLAUDE_CODE_USE_BEDROCK",
    )
}  # fmt: skip
PASSED = {"PATH", "LANG", "TZ", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"}
CREDENTIALS = {
    "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_USE_BEDROCK", "AWS_SECRET_ACCESS_KEY",
}  # fmt: skip
# What the CLI, with no gateway around it, reaches and pays the upstream by.
UPSTREAM = (
    "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_CLIENT_CERT", "CLAUDE_CODE_CLIENT_KEY",
    "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE", "CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_BEDROCK_BASE_URL",
    "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "CLAUDE_CODE_USE_VERTEX",
    "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL", "CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT", "VERTEX_REGION_CLAUDE_4_0_SONNET",
)  # fmt: skip
LOGIN = {"HOME": "/home/u"}


def taken_over(env: dict[str, str], *, keys_configured: bool) -> set[str]:
    built = launch.environment(env, home=HOME, keys_configured=keys_configured, tool_seconds=1)
    return {name for name, value in built.items() if value == f"value of {name}"}


def test_with_keys_no_secret_and_no_credential_of_the_daemon_passes() -> None:
    assert taken_over(DAEMONS, keys_configured=True) == PASSED


def test_without_keys_the_daemons_credentials_pass_and_nothing_else() -> None:
    assert taken_over(DAEMONS, keys_configured=False) == PASSED | CREDENTIALS


@pytest.mark.parametrize("variable", [*UPSTREAM, *sorted(set(launch.UPSTREAM) - set(UPSTREAM))])
def test_what_reaches_and_pays_the_upstream_passes_without_keys_only(variable: str) -> None:
    env = {variable: f"value of {variable}"}
    assert taken_over(env, keys_configured=False) == {variable}
    assert taken_over(env, keys_configured=True) == set()


@pytest.mark.parametrize(
    "variable", ["AWS_LAMBDA_FUNCTION_NAME", "GOOGLE_API_KEY", "CLAUDE_CODE_EXTRA_BODY", "XVERTEX_REGION_"]
)
def test_what_only_sounds_like_it_is_kept_back(variable: str) -> None:
    assert taken_over({variable: f"value of {variable}"}, keys_configured=False) == set()


def test_the_files_of_a_cloud_are_found_in_the_users_home() -> None:
    def built(**env: str) -> dict[str, str]:
        return launch.environment({**LOGIN, **env}, home=HOME, keys_configured=False, tool_seconds=1)

    aws = built(CLAUDE_CODE_USE_BEDROCK="1", AWS_CONFIG_FILE="/x")
    assert (aws["AWS_CONFIG_FILE"], aws["AWS_SHARED_CREDENTIALS_FILE"]) == ("/x", "/home/u/.aws/credentials")
    assert "CLAUDE_CONFIG_DIR" not in aws
    assert built(CLAUDE_CODE_USE_VERTEX="1")["CLOUDSDK_CONFIG"] == "/home/u/.config/gcloud"
    assert "AWS_CONFIG_FILE" not in built(CLAUDE_CODE_USE_BEDROCK="0")
    assert not launch.uses_bare(keys_configured=False, env={"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_API_KEY": "x"})


def test_an_ordinary_login_keeps_its_plain_name_in_a_keychain() -> None:
    name = "CLAUDE_SECURESTORAGE_CONFIG_DIR"
    for env, keys, keychain, value in (
        (LOGIN, False, True, ""), ({**LOGIN, "CLAUDE_CONFIG_DIR": "/c"}, False, True, None), (LOGIN, True, True, None),
        (LOGIN, False, False, None),  # a login in a file would be looked for in the scratch directory
    ):  # fmt: skip
        built = launch.environment(env, home=HOME, keys_configured=keys, tool_seconds=1, keychain=keychain)
        assert built.get(name) == value


def test_settings_are_given_as_a_file() -> None:
    line = launch.argv(PurePath("claude"), bare=False, settings=PurePath("/scratch/settings.json"))
    assert line[-2:] == ["--settings", "/scratch/settings.json"]


@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_what_a_cli_without_keys_logs_in_by(variable: str) -> None:
    assert launch.login_of({variable: "sk-false-1", "ANTHROPIC_BASE_URL": "http://x"}) == variable
    assert launch.login_of({variable: "", "ANTHROPIC_BASE_URL": "http://x"}) == "claude"


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize(
    ("env", "without"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example"}, "a.example"),  # this machine is asked by http
        ({"HTTP_PROXY": "http://proxy:3128"}, "127.0.0.1,localhost"),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": "a.example,b"}, "a.example,b,127.0.0.1,localhost"),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "a", "no_proxy": "b"}, "a,b,127.0.0.1,localhost"),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "a", "no_proxy": "a"}, "a,127.0.0.1,localhost"),
    ],
)
def test_no_proxy_is_asked_for_this_machine(env: dict[str, str], without: str | None, keys: bool) -> None:
    built = launch.environment(env, home=HOME, keys_configured=keys, tool_seconds=1)
    assert built.get("NO_PROXY") == without
    assert built.get("no_proxy") == (without if "HTTPS_PROXY" not in env else None)


def test_the_scratch_home_always_wins() -> None:
    for keys in (True, False):
        built = launch.environment(DAEMONS, home=HOME, keys_configured=keys, tool_seconds=1)
        assert built["HOME"] == built["CLAUDE_CODE_TMPDIR"] == "/scratch/1"


@pytest.mark.parametrize(
    ("env", "keys", "directory"),
    [
        (LOGIN, False, "/home/u/.claude"),
        ({**LOGIN, "CLAUDE_CONFIG_DIR": "/c"}, False, "/c"),
        ({}, False, None),
        (LOGIN, True, None),
        ({**LOGIN, "ANTHROPIC_API_KEY": "sk-false-1"}, False, None),
        ({**LOGIN, "ANTHROPIC_AUTH_TOKEN": "sk-false-1"}, False, None),
        ({**LOGIN, "CLAUDE_CODE_OAUTH_TOKEN": "sk-false-1"}, False, None),
        ({**LOGIN, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, False, "/home/u/.claude"),
    ],
)
def test_the_users_configuration_is_seen_for_the_login_only(
    env: dict[str, str], keys: bool, directory: str | None
) -> None:
    built = launch.environment(env, home=HOME, keys_configured=keys, tool_seconds=1)
    assert built.get("CLAUDE_CONFIG_DIR") == directory


def test_an_empty_credential_is_none() -> None:
    built = launch.environment({"ANTHROPIC_API_KEY": ""}, home=HOME, keys_configured=False, tool_seconds=1)
    assert "ANTHROPIC_API_KEY" not in built


def test_what_keeps_one_question_one_request() -> None:
    built = launch.environment({}, home=HOME, keys_configured=True, tool_seconds=630.5)
    assert built["MCP_TOOL_TIMEOUT"] == "630500"
    for name in ("CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK", "CLAUDE_CODE_DISABLE_REFUSAL_RETRY", "DISABLE_COMPACT"):
        assert built[name] == "1"
    assert built["CLAUDE_CODE_MAX_RETRIES"] == "0"
    assert built["CLAUDE_AGENT_SDK_MCP_NO_PREFIX"] == "1"


@pytest.mark.parametrize("keys", [True, False])
def test_its_runtime_collects_garbage_on_a_timer_only_when_it_has_been_idle(keys: bool) -> None:
    built = launch.environment(LOGIN, home=HOME, keys_configured=keys, tool_seconds=1)
    assert int(built["BUN_GC_TIMER_INTERVAL"]) > 10_000  # the runtime's own default is 1,000


@pytest.mark.parametrize(
    ("keys", "env", "bare"),
    [
        (True, {}, True),
        (True, {"CLAUDE_CODE_OAUTH_TOKEN": "sk-false-1"}, True),
        (False, {}, False),
        (False, {"CLAUDE_CODE_OAUTH_TOKEN": "sk-false-1"}, False),  # --bare does not read it
        (False, {"ANTHROPIC_API_KEY": "sk-false-1"}, True),
        (False, {"ANTHROPIC_AUTH_TOKEN": "sk-false-1"}, True),
        (False, {"ANTHROPIC_AUTH_TOKEN": ""}, False),
    ],
)
def test_bare(keys: bool, env: dict[str, str], bare: bool) -> None:
    assert launch.uses_bare(keys_configured=keys, env=env) is bare


def test_the_command_line() -> None:
    line = launch.argv(PurePath("/opt/claude"), bare=False)
    assert line == [
        "/opt/claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
        "--include-partial-messages", "--tools", "", "--strict-mcp-config", "--setting-sources", "",
        "--no-session-persistence", "--allowedTools", "mcp__gw",
    ]  # fmt: skip
    assert launch.argv(PurePath("/opt/claude"), bare=True) == [*line, "--bare"]


def test_the_clients_log_goes_to_stderr() -> None:
    """Without the flag it would come between the events."""
    line = launch.argv(PurePath("/opt/claude"), bare=True, client_log=True)
    assert line[-2:] == ["--debug=none", "--debug-to-stderr"]
    for client_log in (True, False):
        built = launch.environment({}, home=HOME, keys_configured=True, tool_seconds=1, client_log=client_log)
        assert ("ANTHROPIC_LOG" in built) is client_log
