"""The clients that can be connected, as data: where each keeps its configuration, and what it has to contain.

Those with a `kind` have a file that can be edited. For the others there are instructions, because they keep their
settings in a database, behind a dialog, or at a path that only their owner knows. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

# This gateway's name in the clients' settings.
NAME: Final = "claudegwd"
# The limits of Claude's models; a client that does not know them guesses when to compact.
CONTEXT_TOKENS: Final = 200_000
OUTPUT_TOKENS: Final = 32_000

Kind = Literal["json", "toml", "yaml"]


@dataclass(frozen=True)
class Wanted:
    """`url` ends in /v1. `has_key` is false if the gateway requires no key; `key` is then a placeholder."""

    url: str
    key: str
    model: str
    has_key: bool = True

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")


@dataclass(frozen=True)
class Named:
    """In a path: the item of a list whose field `name` is NAME."""

    name: str = NAME


Path = tuple[str | Named, ...]


@dataclass(frozen=True)
class Setting:
    """A value and its path. `only_if_missing`: a new file needs it; in an existing one its owner decides."""

    path: Path
    value: Any
    only_if_missing: bool = False


@dataclass(frozen=True)
class ClientProgram:
    """`file` is relative to the home directory, or to `base`: a variable and its default. `words` are the instructions
    if there is no file to edit, otherwise what to do next. `kept_key` is the path of the key in the file."""

    name: str
    title: str
    words: Callable[[Wanted], str]
    kind: Kind | None = None
    file: str = ""
    base: tuple[str, str] | None = None
    entries: Callable[[Wanted], Sequence[Setting]] = lambda _: ()
    kept_key: Path = ()


def _opencode(to: Wanted) -> Sequence[Setting]:
    limit = {"context": CONTEXT_TOKENS, "output": OUTPUT_TOKENS}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": NAME,
        "options": {"baseURL": to.url, "apiKey": to.key},
        "models": {to.model: {"name": to.model, "limit": limit}},
    }
    return (Setting(("provider", NAME), provider),)


def _codex(to: Wanted) -> Sequence[Setting]:
    provider = {"name": NAME, "base_url": to.url, "wire_api": "responses"}
    if to.has_key:
        provider["experimental_bearer_token"] = to.key
    return (
        Setting(("model_providers", NAME), provider),
        Setting(("model_provider",), NAME),
        Setting(("model",), to.model),
        Setting(("model_context_window",), CONTEXT_TOKENS),
    )


def _aider(to: Wanted) -> Sequence[Setting]:
    return (
        Setting(("openai-api-base",), to.url),
        Setting(("openai-api-key",), to.key),
        Setting(("model",), f"openai/{to.model}"),
    )


def _continue(to: Wanted) -> Sequence[Setting]:
    model = {
        "name": NAME,
        "provider": "openai",
        "model": to.model,
        "apiBase": to.url,
        "apiKey": to.key,
        "roles": ["chat", "edit", "apply"],
    }
    return (
        Setting(("models", Named()), model),
        Setting(("name",), "Local", only_if_missing=True),
        Setting(("version",), "1.0.0", only_if_missing=True),
        Setting(("schema",), "v1", only_if_missing=True),
    )


def _zed(to: Wanted) -> Sequence[Setting]:
    model = {
        "name": to.model,
        "display_name": f"{to.model} ({NAME})",
        "max_tokens": CONTEXT_TOKENS,
        "max_output_tokens": OUTPUT_TOKENS,
        "capabilities": {"tools": True, "images": True, "parallel_tool_calls": True, "prompt_cache_key": True},
    }
    value = {"api_url": to.url, "available_models": [model]}
    return (Setting(("language_models", "openai_compatible", NAME), value),)


def _fields(before: str, after: str = "") -> Callable[[Wanted], str]:
    """Instructions for a dialog with three fields."""

    def words(to: Wanted) -> str:
        fields = f"  base URL  {to.url}\n  API key   {to.key}\n  model     {to.model}"
        return "\n".join(part for part in (before, fields, after) if part)

    return words


def _open_webui(to: Wanted) -> str:
    return (
        "Start it with these variables (`docker run -e …`; from a container the host is host.docker.internal, for\n"
        "which the gateway has to listen on the bridge, with server.bind and server.allowed_hosts):\n"
        f"  OPENAI_API_BASE_URL={to.url}\n  OPENAI_API_KEY={to.key}"
    )


def _librechat(to: Wanted) -> str:
    return (
        "In its librechat.yaml:\n"
        "endpoints:\n"
        "  custom:\n"
        f"    - name: {NAME}\n"
        f"      baseURL: {to.url}\n"
        f"      apiKey: {to.key}\n"
        "      models:\n"
        f"        default: [{to.model}]\n"
        "        fetch: true\n"
        "      titleConvo: true\n"
        "      titleModel: current_model"
    )


def _claude_code(to: Wanted) -> str:
    return (
        "Start it with these variables. Do not put them into its settings.json: the gateway's own Claude "
        f"Code\nmight read them there.\n  ANTHROPIC_BASE_URL={to.root} ANTHROPIC_AUTH_TOKEN={to.key} claude --model "
        f"{to.model}"
    )


def _shell(to: Wanted) -> str:
    return f"export OPENAI_BASE_URL={to.url}\nexport OPENAI_API_BASE={to.url}\nexport OPENAI_API_KEY={to.key}"


CLIENTS: Final = (
    ClientProgram(
        "opencode", "opencode", lambda to: f"Choose it with /models, or: opencode run -m {NAME}/{to.model} Hello!",
        "json", "opencode/opencode.json", ("XDG_CONFIG_HOME", ".config"), _opencode,
        ("provider", NAME, "options", "apiKey"),
    ),
    ClientProgram(
        "codex", "Codex", lambda _: "Codex now uses it. Its warning about missing metadata is harmless.",
        "toml", "config.toml", ("CODEX_HOME", ".codex"), _codex,
        ("model_providers", NAME, "experimental_bearer_token"),
    ),
    ClientProgram(
        "aider", "aider", lambda _: "aider now uses it.",
        "yaml", ".aider.conf.yml", None, _aider, ("openai-api-key",),
    ),
    ClientProgram(
        "continue", "Continue", lambda _: f"Choose {NAME} in its list of models.",
        "yaml", ".continue/config.yaml", None, _continue, ("models", Named(), "apiKey"),
    ),
    ClientProgram(
        "zed", "Zed",
        lambda to: f"Zed reads the key from the variable CLAUDEGWD_API_KEY, or enter it in Zed: {to.key}",
        "json", "zed/settings.json", ("XDG_CONFIG_HOME", ".config"), _zed,
    ),
    ClientProgram("cline", "Cline", _fields('In its settings, API provider "OpenAI Compatible":')),
    ClientProgram("roo", "Roo Code", _fields('In its settings, API provider "OpenAI Compatible":')),
    ClientProgram(
        "vscode", "VS Code", _fields(
            'With Copilot Chat: "Manage Models" in the list of models, then the provider "OpenAI Compatible":'
        ),
    ),
    ClientProgram("open-webui", "Open WebUI", _open_webui),
    ClientProgram("librechat", "LibreChat", _librechat),
    ClientProgram("n8n", "n8n", _fields('Credential "OpenAI" (an n8n elsewhere needs an address it can reach):')),
    ClientProgram(
        "cursor", "Cursor", _fields(
            "In its settings under Models. Cursor's servers call the gateway, so the base URL has to be a public\n"
            "HTTPS address, such as a tunnel's (--url), and the gateway has to ask for a key (auth.required = true):"
        ),
    ),
    ClientProgram("claude-code", "Claude Code", _claude_code),
    ClientProgram("shell", "OpenAI's SDKs, scripts", _shell),
)  # fmt: skip


def where(client: ClientProgram) -> str:
    """Its file, written with ~ for people; "" if there is none to edit."""
    if client.kind is None:
        return ""
    return "/".join(part for part in ("~", client.base[1] if client.base else "", client.file) if part)
