"""`[workspaces.NAME]`: a directory in which Claude works with its own tools, and what it may do there.

The operator chooses the names of these sections, so they are read separately from the fixed ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_type_hints

import msgspec

from claudegwd.config.problems import ConfigError, Errors
from claudegwd.config.schema import WorkspaceConfig
from claudegwd.workspaces.rules import MCP, TOOLS, RuleError, granted, parse_rule

# A letter first: "claude-sonnet-4@20250514" is a model of Vertex.
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def _described() -> Mapping[str, tuple[Any, str, object]]:
    defaults = WorkspaceConfig()
    return MappingProxyType(
        {
            name: (
                hint,
                next(extra.description for extra in hint.__metadata__ if extra.description),
                getattr(defaults, name),
            )
            for name, hint in get_type_hints(WorkspaceConfig, include_extras=True).items()
        }
    )


# Each key with its type, its allowed values, and its default.
WORKSPACE_KEYS: Final = _described()


def read_workspaces(tables: object, file: str, errors: Errors) -> dict[str, WorkspaceConfig]:
    """The workspaces of config.toml by name. Mistakes are added to `errors`."""
    found: dict[str, WorkspaceConfig] = {}
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        errors.add(
            ConfigError(
                file,
                "workspaces",
                (
                    "needs a section for each workspace: put [workspaces.NAME] on a line of its own, and its settings "
                    "below"
                ),
            )
        )
        return found
    for name, table in tables.items():
        section = f"workspaces.{name}"
        if not NAME.fullmatch(name):
            errors.add(
                ConfigError(
                    file,
                    section[:80],
                    ("is not a valid name: use lower-case letters, digits, - and _, starting with a letter"),
                )
            )
            continue
        problems = list(_problems(table))
        workspace = None if problems else msgspec.convert(dict(table), WorkspaceConfig)
        for key, problem in problems or _contradictions(workspace):  # type: ignore[arg-type]  # built if there are no problems
            errors.add(ConfigError(file, f"{section}.{key}", problem))
        if workspace is not None:
            found[name] = workspace
    return found


def _problems(table: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Key by key."""
    if "directory" not in table:
        yield "directory", "is missing: set it to the directory for Claude to work in"
    for key, value in table.items():
        if key not in WORKSPACE_KEYS:
            yield key[:40], "is an unknown setting: a workspace has " + ", ".join(WORKSPACE_KEYS)
            continue
        hint, allowed, _ = WORKSPACE_KEYS[key]
        try:
            converted = msgspec.convert(value, hint)
        except msgspec.ValidationError:
            converted = None
        if converted is None or converted != converted:
            yield key, f"must be {allowed}"


def _contradictions(workspace: WorkspaceConfig) -> Iterable[tuple[str, str]]:
    for tool in workspace.tools:
        if tool not in TOOLS:
            yield "tools", f'cannot contain "{tool[:40]}": the tools are {", ".join(TOOLS)}'
    for key, texts in (("allow", workspace.allow), ("deny", workspace.deny)):
        for text in texts:
            if problem := _rule_problem(workspace, key, text):
                yield key, f'cannot contain "{text[:80]}": {problem}'
    for model in workspace.models:
        if "@" in model and NAME.fullmatch(model.rpartition("@")[2]):
            yield "models", "cannot contain a workspace's model: name the plain model"


def _rule_problem(workspace: WorkspaceConfig, key: str, text: str) -> str:
    try:
        rule = parse_rule(text)
    except RuleError as error:
        return str(error)
    if rule.tool.startswith(MCP):
        return "" if workspace.mcp else "there are no MCP servers: set mcp to a file that lists them"
    if key == "allow" and rule.tool == "Bash" and rule.pattern.strip("*: ") == "":
        return 'list the commands that may be run, such as "Bash(pytest *)"'
    needed = {"Read": ("Read", "Grep", "Glob"), "Edit": ("Edit", "Write", "NotebookEdit")}.get(rule.tool, (rule.tool,))
    # Rules for Read outside the directory also open it to commands of Bash.
    if key == "allow" and not set(needed) & set(workspace.tools) and not granted(rule.pattern):
        return f"{rule.tool} is not in tools: add it there"
    return ""
