"""The command line and environment that make the CLI a plain model endpoint. Pure: nothing is read or started here."""

from collections.abc import Mapping
from pathlib import PurePath

# Our MCP server that offers the client's tools inside the CLI.
TOOL_SERVER = "gw"

# Settings that keep one question to one upstream request. Each was seen to matter on CLI 2.1.330.
_QUIET: Mapping[str, str] = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",  # report failures at once: the key ring decides what is tried next
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",  # else a lost connection costs a second full answer
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",  # else a refusal costs a second request
    # else a refusal is asked again of another model, and a 400 repeated unchanged
    "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK": "1",
    # else the CLI itself rejects what it considers too long, at four characters a token: the upstream counts better
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "10000000",
    "DISABLE_COMPACT": "1",  # else a prompt that is too long is summarised upstream, and the history is replaced
    "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",  # else newer models get an extra `system` message in each request
    # The model sees tools under the client's own names, as its prompts use them, instead of mcp__gw__NAME. Names of the
    # CLI's own tools (Bash, Read, Task) work too, since it starts without any.
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "ENABLE_TOOL_SEARCH": "false",  # all client tools are always loaded
    "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "10000000",  # tool descriptions reach the model whole
    "MAX_MCP_OUTPUT_TOKENS": "10000000",  # tool results too, up to the CLI's fixed 500,000 characters
}

# By default the CLI's runtime collects garbage every second if its heap has changed, and what it had compiled and
# looked up is to be done again: 20 to 30 % of a turn's processor time where turns are a second apart. It still collects
# when it needs memory, and after so many milliseconds, so that an idle worker returns memory.
_RUNTIME: Mapping[str, str] = {"BUN_GC_TIMER_INTERVAL": "30000"}

# The log of the CLI's client library; nothing of its own log passes this filter. The variable without the flags would
# mix it with the events.
_CLIENT_LOG = ("--debug=none", "--debug-to-stderr")
_CLIENT_LOG_LEVEL = {"ANTHROPIC_LOG": "debug"}

# If the conversation that the CLI knows is a placeholder, it would continue with that after an answer that was cut, is
# empty or calls a tool: 424 requests in 30 s were seen for one unknown tool. No turn may follow the first; and any
# answer uses up the budget, so that no request follows it, whatever the ending (12 observed on 2.1.286 to .332).
# `/clear` gives a new budget.
_ONE_REQUEST = ("--max-turns", "1", "--max-budget-usd", "0.0000001")

_NO_PROXY = ("NO_PROXY", "no_proxy")  # the CLI reads either
# Variables of the daemon that the CLI may see. An allow-list: anything else could hold a secret of the daemon.
_PASSED_TO_REACH = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
                    "http_proxy", "https_proxy", "no_proxy")  # fmt: skip
_PASSED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", *_PASSED_TO_REACH)

# Credentials in the daemon's own environment, passed on only if no keys are configured.
CREDENTIALS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN")


# Access to Anthropic's models through another account, which the CLI prefers to anything else.
CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX")

# Other variables for reaching and paying the upstream: passed on only if no keys are configured, as keys come with
# their own. Everything not listed here is withheld (docs/security.md).
UPSTREAM = (
    *CREDENTIALS, *CLOUDS,
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_CLIENT_CERT", "CLAUDE_CODE_CLIENT_KEY", "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
    "ANTHROPIC_BEDROCK_BASE_URL", "CLAUDE_CODE_SKIP_BEDROCK_AUTH", "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
    "ANTHROPIC_VERTEX_BASE_URL", "ANTHROPIC_VERTEX_PROJECT_ID", "CLAUDE_CODE_SKIP_VERTEX_AUTH", "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CONFIG",
)  # fmt: skip
_UPSTREAM_PREFIX = "VERTEX_REGION_"  # and a model's name

# Where these programs look in a home directory, which the CLI does not see.
_OF_HOME = {
    "CLAUDE_CODE_USE_BEDROCK": {
        "AWS_CONFIG_FILE": ".aws/config", "AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials",
    },
    "CLAUDE_CODE_USE_VERTEX": {"CLOUDSDK_CONFIG": ".config/gcloud"},
}  # fmt: skip

OWN_LOGIN = "claude"
_OFF = ("", "0", "false", "no", "off")  # as the CLI reads a switch


def reaches_upstream(name: str) -> bool:
    """Whether this variable is about reaching or paying the upstream."""
    return name in UPSTREAM or name.startswith(_UPSTREAM_PREFIX) or name in _PASSED_TO_REACH


def login_of(env: Mapping[str, str]) -> str:
    """What a CLI without keys logs in with: the variable of `env` that it uses, or OWN_LOGIN for its own login."""
    cloud = next((name for name in CLOUDS if env.get(name, "").lower() not in _OFF), None)
    return cloud or next((name for name in CREDENTIALS if name != "ANTHROPIC_BASE_URL" and env.get(name)), OWN_LOGIN)


def config_directory(env: Mapping[str, str]) -> str:
    """Where the CLI of the daemon's user keeps its configuration and login; "" if there is no home."""
    return env.get("CLAUDE_CONFIG_DIR") or (f"{env['HOME']}/.claude" if env.get("HOME") else "")


def uses_bare(*, keys_configured: bool, env: Mapping[str, str]) -> bool:
    """Whether `--bare` is possible: it never reads the CLI's own login or an OAuth token.

    With it, two short blocks precede the system prompt (whom to bill, and "You are a Claude agent …"; a key's
    `attribution` decides about the first) and nothing is added to the messages. Without it, reminders are.
    """
    return keys_configured or login_of(env) in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")


def argv(
    binary: PurePath, *, bare: bool, client_log: bool = False, whole: bool = False, settings: PurePath | None = None
) -> list[str]:
    """The command line. Prompts never go in it: they would be visible in `ps` and are limited in length.

    `client_log`: with its client library's log on stderr; pass it to `environment` too. `whole`: each request is passed
    on whole, and the CLI may answer it with one upstream request only. `settings`: a file of settings; not their text,
    which `ps` would show.
    """
    line = [
        str(binary), "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
        "--include-partial-messages", "--tools", "", "--strict-mcp-config", "--setting-sources", "",
        "--no-session-persistence", *(_ONE_REQUEST if whole else ("--allowedTools", f"mcp__{TOOL_SERVER}")),
    ]  # fmt: skip
    given = ["--settings", str(settings)] if settings else []
    return [*line, *given, *(["--bare"] if bare else []), *(_CLIENT_LOG if client_log else [])]


def environment(
    env: Mapping[str, str],
    *,
    home: PurePath,
    keys_configured: bool,
    tool_seconds: float,
    client_log: bool = False,
    keychain: bool = False,
) -> dict[str, str]:
    """The CLI's whole environment, built from an allow-list.

    `home` is the workers' scratch directory; if no keys are configured and the CLI's own login is used,
    CLAUDE_CONFIG_DIR still points to the user's configuration, and nothing else of the user's home is visible.
    `keychain`: that login may be in the keychain of macOS. `tool_seconds` is how long the CLI waits for a tool result;
    more than we allow a client.
    """
    built = {name: env[name] for name in _PASSED if name in env}
    built.update(_QUIET)
    built.update(_RUNTIME)
    built["HOME"] = str(home)
    built["CLAUDE_CODE_TMPDIR"] = str(home)  # else it creates claude-UID in /tmp, and leaves it there
    built["MCP_TOOL_TIMEOUT"] = str(int(tool_seconds * 1000))
    if client_log:
        built.update(_CLIENT_LOG_LEVEL)
    if not keys_configured:
        built.update({name: value for name, value in env.items() if value and reaches_upstream(name)})
        built.update(_files_of_clouds(env))
        config = config_directory(env) if login_of(env) == OWN_LOGIN else ""
        if config:
            built["CLAUDE_CONFIG_DIR"] = config
            # A keychain entry has another name if CLAUDE_CONFIG_DIR is set; empty, this keeps the plain one, which an
            # ordinary login uses. (From reading the code: no Mac was at hand.) A login in a file would not be found.
            if keychain and not env.get("CLAUDE_CONFIG_DIR"):
                built["CLAUDE_SECURESTORAGE_CONFIG_DIR"] = ""
    return built | _past_the_proxy(built)


def _past_the_proxy(built: Mapping[str, str]) -> dict[str, str]:
    """What keeps the CLI from asking a proxy for addresses of this machine: the demo's, and that of the trial at start,
    which a proxy cannot reach."""
    if not (built.get("HTTP_PROXY") or built.get("http_proxy")):
        return {}
    named = [hosts for name in _NO_PROXY if (hosts := built.get(name))]
    return dict.fromkeys(_NO_PROXY, ",".join(dict.fromkeys((*named, "127.0.0.1", "localhost"))))


def _files_of_clouds(env: Mapping[str, str]) -> dict[str, str]:
    """The files of a cloud's own programs in the user's home, if the CLI is to log in with them."""
    home = env.get("HOME")
    cloud = login_of(env)
    names = _OF_HOME.get(cloud, {}) if home else {}
    return {name: f"{home}/{place}" for name, place in names.items() if not env.get(name)}
