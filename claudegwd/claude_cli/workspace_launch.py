"""How the CLI is started to work in a directory with its own tools, and its control messages there.

Observed on 2.1.330. It runs without `--bare`, under which only Bash, Edit and Read exist; the options and variables
below turn off, one by one, the settings of the repository and the user, hooks, skills and memories.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

_PASSED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")

_FIXED = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",  # it asks the gateway, which retries by itself
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",  # else newer models get a `system` message mid-conversation
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",  # if wanted, we pass them ourselves
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # a command ends with its answer
    "CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR": "1",  # the policy resolves relative paths from the directory
    "ENABLE_TOOL_SEARCH": "false",
    # The client's tools keep their names and full descriptions. Those of MCP servers keep mcp__SERVER__.
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "10000000",
    "SHELL": "/bin/bash",  # whose syntax we parse commands by
}


def argv(
    binary: PurePath,
    *,
    tools: Sequence[str],
    settings: PurePath,
    mcp: PurePath | None,
    max_turns: int,
    max_usd: float,
    session: str = "",
    resumes: bool = False,
) -> list[str]:
    """The command line, without prompts or rules. `session`: the id under which the CLI keeps its transcript, which it
    `resumes` if that exists already."""
    line = [
        str(binary), "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
        "--include-partial-messages", "--tools", ",".join(tools), "--permission-prompt-tool", "stdio",
        "--permission-mode", "default", "--strict-mcp-config", "--setting-sources", "",
        "--disable-slash-commands", "--settings", str(settings), "--max-turns", str(max_turns),
    ]  # fmt: skip
    line += ["--max-budget-usd", repr(max_usd)] if max_usd else []
    line += ["--resume" if resumes else "--session-id", session] if session else ["--no-session-persistence"]
    return line + (["--mcp-config", str(mcp)] if mcp else [])


# Git refuses a repository of another user, whose settings may start programs: here those are in the sandbox as well. A
# service's user is given access to repositories of others.
_CONFINED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


def environment(
    env: Mapping[str, str], *, home: PurePath, token: str, tool_seconds: float, confined: bool
) -> dict[str, str]:
    """The whole environment of the CLI and of what it runs, built from an allow-list. `token` is only for the gateway's
    own Messages API. `tool_seconds`: how long the CLI waits for a tool of the client's or of an MCP server."""
    built = {name: env[name] for name in _PASSED if name in env} | _FIXED | (_CONFINED if confined else {})
    built |= {"HOME": str(home), "TMPDIR": str(home), "CLAUDE_CODE_TMPDIR": str(home), "ANTHROPIC_AUTH_TOKEN": token}
    built["MCP_TOOL_TIMEOUT"] = str(int(tool_seconds * 1000))
    return built


def settings(tools: Sequence[str], servers: Sequence[str], unread: Sequence[str]) -> dict[str, Any]:
    """The CLI's settings: it asks about every call, even reads inside the directory; and no hooks.

    `unread`: rules about what may not be read, to keep those files out of search results. We deny everything else.
    """
    asked = [*tools, *(f"mcp__{server}" for server in servers)]
    return {
        "permissions": {"ask": asked, "deny": list(unread)},
        "disableAllHooks": True,
    }
