"""config.toml as values: every section, key and default, and a phrase that describes the allowed values.

The phrases are for people: they complete "must be …" in error texts. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# A CLI is sent at most 128 MiB (workers/process/process.py), of which this leaves some for what is added; below 1 KiB
# no chat request fits.
_BODY = Meta(ge=1024, le=96 * 2**20, description="a number of bytes from 1024 to 100663296")
# A million a minute is far beyond what one machine answers (about 30 a second): above it, 0 is meant.
_RATE = Meta(ge=0, le=1_000_000, description="a whole number from 0 (no limit) to 1000000")
# A model's context alone may be a million tokens, so tokens need higher limits than requests.
_TOKENS = Meta(ge=0, le=10**10, description="a whole number from 0 (no limit) to 10000000000")
# Each waiting request holds its body in memory.
_QUEUE = Meta(ge=0, le=100_000, description="a whole number from 0 to 100000")
_UP_TO_AN_HOUR = Meta(ge=0, le=3600, description="a number of seconds from 0 to 3600")
_UP_TO_A_MONTH = Meta(ge=60, le=2_592_000, description="a number of seconds from 60 to 2592000")
_UP_TO_A_DAY = Meta(ge=1, le=86_400, description="a number of seconds from 1 to 86400")
# A CLI process needs about 90 MB of its own: 1024 are 90 GB.
_WORKERS = Meta(ge=1, le=1024, description="a whole number from 1 to 1024")
_SPARES = Meta(ge=0, le=1024, description="a whole number from 0 to workers.max")
# Never a leading "-": a name must not look like an option. Brackets are the CLI's own, as in "sonnet[1m]".
_MODEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,127}$"
_MODEL = Meta(pattern=_MODEL_PATTERN, description='a model name such as "sonnet"')
_FLAG = Meta(description="true or false")
_RULE_LIST = Meta(description='a list of rules such as ["Bash(pytest *)", "Edit(src/**)"]')
_PATH = Meta(pattern=r"^[^\x00\n]*$", description="a path")

ModelName = Annotated[str, _MODEL]
FilePath = Annotated[str, _PATH]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json", "journal"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, so that a running request keeps the values it started with."""


class ServerConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[server]`: the public face."""

    bind: Annotated[tuple[str, ...], Meta(min_length=1, description='a list such as ["127.0.0.1:8000"]')] = (
        "127.0.0.1:8000",
    )
    max_body_bytes: Annotated[int, _BODY] = 33_554_432
    allowed_hosts: Annotated[tuple[str, ...], Meta(description='a list of host names such as ["gateway.lan"]')] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description='a list of addresses or networks such as ["127.0.0.1", "10.0.0.0/24"]')
    ] = ()
    fetch_hosts: Annotated[
        tuple[str, ...], Meta(description='a list of host names such as ["images.example.org"]')
    ] = ()
    cors_origins: Annotated[tuple[str, ...], Meta(description='a list of origins such as ["https://chat.lan"]')] = ()


class ControlConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[control]`: the Unix socket; "" means the default path and the daemon's own group."""

    socket: FilePath = ""
    group: Annotated[str, Meta(pattern=r"^[^\s:]*$", description="the name of a group")] = ""


class AuthConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[auth]`: `auto` asks for a client key unless every bind is loopback."""

    required: Annotated[bool | Literal["auto"], Meta(description='true, false or "auto"')] = "auto"


class LimitsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[limits]`: the first three are per client; the queue is shared by all."""

    requests_per_minute: Annotated[int, _RATE] = 100
    tokens_per_minute: Annotated[int, _TOKENS] = 0
    concurrent_requests: Annotated[int, _RATE] = 0
    queue: Annotated[int, _QUEUE] = 64
    queue_seconds: Annotated[float, _UP_TO_AN_HOUR] = 30
    request_seconds: Annotated[float, _UP_TO_A_DAY] = 600


class ClaudeConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[claude]`: which CLI, and which model names."""

    binary: Annotated[
        str, Meta(min_length=1, pattern=r"^[^\x00\n]+$", description='"auto" or the path of the Claude Code CLI')
    ] = "auto"
    version: Annotated[
        str,
        Meta(
            pattern=r"^(pinned|newest|[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,6})$",
            description='"pinned", "newest" or a version such as "2.1.332"',
        ),
    ] = "pinned"
    default_model: ModelName = "sonnet"
    models: Annotated[tuple[ModelName, ...], Meta(description='a list of model names such as ["claude-x"]')] = ()
    aliases: Annotated[
        dict[ModelName, ModelName], Meta(description='a table of model names such as { "gpt-4o" = "sonnet" }')
    ] = msgspec.field(default_factory=dict)
    fallback: Annotated[
        dict[ModelName, tuple[ModelName, ...]],
        Meta(description='a table of model names with lists of others, such as { "opus" = ["sonnet"] }'),
    ] = msgspec.field(default_factory=dict)
    server_tools: Annotated[
        tuple[Literal["web_search", "web_fetch", "code_execution"], ...],
        Meta(description='a list of "web_search", "web_fetch" and "code_execution"'),
    ] = ()
    system: Annotated[Literal["cli", "plain"], Meta(description='"cli" or "plain"')] = "cli"


class WorkersConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[workers]`: how many CLI processes are kept, and how long."""

    spares: Annotated[int, _SPARES] = 1
    max: Annotated[int, _WORKERS] = 8
    idle_seconds: Annotated[float, _UP_TO_A_DAY] = 600
    parked_seconds: Annotated[float, _UP_TO_A_DAY] = 900
    share: Annotated[bool, Meta(description="true or false")] = False
    carrier: Annotated[Literal["auto", "transcript"], Meta(description='"auto" or "transcript"')] = "auto"
    recycle: Annotated[bool, Meta(description="true or false")] = False


class KeysConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[keys]`: the upstream keys; file "" means keys.json beside config.toml."""

    file: FilePath = ""
    order: Annotated[Literal["file", "headroom"], Meta(description='"file" or "headroom"')] = "file"
    cooldown_seconds: Annotated[float, _UP_TO_A_DAY] = 60
    hold_seconds: Annotated[float, _UP_TO_AN_HOUR] = 20
    watch: Annotated[bool, Meta(description="true or false")] = False
    shell_files: Annotated[tuple[FilePath, ...], Meta(description='a list of paths such as ["~/.bashrc"]')] = ()


class NotifyConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify]`: who is notified of what a person should know. Both may be set."""

    command: Annotated[
        str | tuple[str, ...],
        Meta(description='a program\'s path, or a list such as ["/usr/local/bin/tell-me", "--soon"]'),
    ] = ""
    url: Annotated[str, Meta(description='an address such as "https://hooks.example.org/gateway"')] = ""


class ResponsesConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[responses]`: how responses are kept, for clients that continue from them."""

    keep: Annotated[Literal["memory", "disk"], Meta(description='"memory" or "disk"')] = "memory"
    keep_seconds: Annotated[float, _UP_TO_A_MONTH] = 86_400


class SharedConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[shared]`: where several machines keep what they share; url "" means that there is only one machine."""

    url: Annotated[str, Meta(description='an address such as "valkey://10.0.0.2:6379"')] = ""
    password_file: FilePath = ""
    secret_file: FilePath = ""
    ca_file: FilePath = ""
    local_share: Annotated[float, Meta(gt=0, le=1, description="a number above 0 and at most 1")] = 0.5
    machine: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="a name of letters, digits, '.', '_' and '-'"
        ),
    ] = ""


class LogConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[log]`: what goes to stderr. `content` is only for debugging, and status says so while it is on."""

    level: Annotated[LogLevel, Meta(description='"debug", "info", "warning" or "error"')] = "info"
    format: Annotated[LogFormat, Meta(description='"auto", "console", "json" or "journal"')] = "auto"
    content: Annotated[bool, Meta(description="true or false")] = False


class WorkspaceConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[workspaces.NAME]`."""

    directory: Annotated[str, Meta(pattern=r"^(/|~/)[^\x00\n]+$", description="the path of a directory")] = ""
    tools: Annotated[tuple[str, ...], Meta(description='a list of tools such as ["Read", "Edit", "Bash"]')] = (
        "Read",
        "Grep",
        "Glob",
    )
    allow: Annotated[tuple[str, ...], _RULE_LIST] = ()
    deny: Annotated[tuple[str, ...], _RULE_LIST] = ()
    otherwise: Annotated[Literal["deny", "ask"], Meta(description='"deny" or "ask"')] = "deny"
    models: Annotated[tuple[ModelName, ...], Meta(description='a list of model names such as ["sonnet"]')] = ()
    clients: Annotated[tuple[str, ...], Meta(description='a list of client names such as ["webui"]')] = ()
    anonymous: Annotated[bool, _FLAG] = False
    mcp: FilePath = ""
    instructions: Annotated[bool, _FLAG] = False
    # A few hundred steps are a day's work; a thousand are a loop.
    max_turns: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 50
    max_usd: Annotated[
        float, Meta(ge=0, le=10_000, description="a number of US dollars from 0 (no limit) to 10000")
    ] = 0
    seconds: Annotated[float, Meta(ge=1, le=86_400, description="a number of seconds from 1 to 86400")] = 900
    sandbox: Annotated[Literal["auto", "required", "off"], Meta(description='"auto", "required" or "off"')] = "auto"
    sessions: Annotated[bool, _FLAG] = False
    session_seconds: Annotated[float, _UP_TO_A_MONTH] = 86_400


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of config.toml."""

    server: ServerConfig = ServerConfig()
    control: ControlConfig = ControlConfig()
    auth: AuthConfig = AuthConfig()
    limits: LimitsConfig = LimitsConfig()
    claude: ClaudeConfig = ClaudeConfig()
    workers: WorkersConfig = WorkersConfig()
    keys: KeysConfig = KeysConfig()
    notify: NotifyConfig = NotifyConfig()
    responses: ResponsesConfig = ResponsesConfig()
    shared: SharedConfig = SharedConfig()
    log: LogConfig = LogConfig()
    # The operator chooses their names: read separately from the sections above (config/workspaces.py).
    workspaces: dict[str, WorkspaceConfig] = msgspec.field(default_factory=dict)
