"""A report on the workspaces of a configuration, for people: `claudegwctl workspaces`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from claudegwd import contract
from claudegwd.config.schema import ClaudeConfig, WorkspaceConfig
from claudegwd.workspaces.launch import policy_of
from claudegwd.workspaces.plan import models_of


def overview(
    workspaces: Mapping[str, WorkspaceConfig], claude: ClaudeConfig, missing: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each. `missing`: what this machine cannot confine."""
    return [_row(name, each, claude, missing) for name, each in workspaces.items()]


def _row(name: str, workspace: WorkspaceConfig, claude: ClaudeConfig, missing: Sequence[str]) -> dict[str, Any]:
    lacks = [] if workspace.sandbox == "off" else list(missing)
    problem = _of_directory(workspace)
    if not problem and workspace.sandbox == "required" and lacks:
        problem = f"the sandbox that it requires is not available here: {lacks[0]}"
    return {
        "name": name,
        "directory": str(Path(workspace.directory).expanduser()),
        "models": [f"{model}@{name}" for model in models_of(workspace, claude)],
        "tools": list(workspace.tools),
        "clients": list(workspace.clients),
        "anonymous": workspace.anonymous,
        "otherwise": workspace.otherwise,
        "sandbox": workspace.sandbox,
        "sandbox_effective": "off" if workspace.sandbox == "off" else "partial" if lacks else "full",
        "sandbox_missing": lacks,
        "sessions": workspace.sessions,
        "problem": problem,
    }


def _of_directory(workspace: WorkspaceConfig) -> str:
    """What keeps this user from working in the directory, and how to fix it."""
    policy = policy_of(workspace)
    if not Path(policy.directory).is_dir():
        return f"the directory {policy.directory} does not exist: create it"
    if not os.access(policy.directory, os.R_OK | os.X_OK):
        return f"{policy.directory} is not readable by {_who()}: grant access (`setfacl -R -m u:USER:rX`)"
    if contract.workspace_writes(workspace.tools, workspace.allow) and not os.access(policy.directory, os.W_OK):
        return f"{policy.directory} is not writable by {_who()}: grant access, or remove the tools that write"
    return ""


def _who() -> str:
    return f"user {os.geteuid()}"
