"""Whether Claude may do what it wants to do in a workspace. Pure: the caller has resolved the paths."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from claudegwd.workspaces.command import paths_in, seen_in, words_of
from claudegwd.workspaces.hosts import host_of
from claudegwd.workspaces.rules import (
    MCP,
    READING,
    WRITING,
    Rule,
    below,
    fixed_words,
    folded,
    forbids_command,
    forbids_path,
    granted,
    matches_command,
    matches_host,
    matches_mcp,
    matches_path,
)
from claudegwd.workspaces.starters import starts_others

# The fields of a Bash call. One with any other (background, no sandbox) is not understood.
_BASH_FIELDS: Final = frozenset(("command", "description", "timeout"))

# Other programs find commands in these, and run them without asking, outside any sandbox.
OTHERS_OBEY: Final = (".git", ".claude", ".mcp.json", ".vscode", ".idea", ".husky", ".envrc")

# The kernel opens no longer path, but a program could shorten one first.
MAX_PATH_BYTES: Final = 4096
MAX_COMMAND_CHARACTERS: Final = 20_000  # nobody reads a longer one before approving it


class Behavior(Enum):
    """What happens to a call."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is for the model, the audit log and the person who is asked: what kept it from being allowed."""

    behavior: Behavior
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one workspace. `directory` is absolute and contains no symbolic link.

    `asks`: what no rule decides is put to a person instead of denied.
    """

    directory: str
    tools: frozenset[str]
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    asks: bool = False

    def outside(self, *tools: str) -> tuple[str, ...]:
        """Directories outside its own that rules for these tools allow."""
        found = (granted(rule.pattern) for rule in self.allow if rule.tool in tools)
        return tuple(dict.fromkeys(path.rstrip("/") or "/" for path in found if path is not None))


_ALLOW: Final = Decision(Behavior.ALLOW)


def decide(policy: Policy, tool: str, given: Mapping[str, Any], resolved: Mapping[str, str]) -> Decision:
    """`given` is the tool's input, `resolved` each of `paths_named` with symbolic links followed."""
    if tool.startswith(MCP):
        return _by_rules(policy, tool, lambda rule: matches_mcp(rule, tool))
    if tool not in policy.tools:
        return _denied(f"{tool[:40]} is not one of this workspace's tools")
    named = paths_named(tool, given)
    if named is None:
        return _denied("the call cannot be understood")
    if tool in (*READING, *WRITING):
        return _file(policy, tool, named, resolved)
    match tool:
        case "Bash":
            return _bash(policy, str(given["command"]), resolved)
        case "WebFetch":
            host = host_of(given.get("url"))
            if not host:
                return _denied("that is not a plain URL: use http or https, and a host in ASCII without a port")
            return _by_rules(policy, tool, lambda rule: matches_host(rule.pattern, host))
        case "WebSearch":
            return _by_rules(policy, tool, lambda _: True)
    return _denied("the call cannot be understood")


def paths_named(tool: str, given: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The paths that a call names, relative to the directory; None for a call that is not understood."""
    match tool:
        case "Read" | "Edit" | "Write":
            return _texts(given.get("file_path"))
        case "NotebookEdit":
            return _texts(given.get("notebook_path"))
        case "Grep" | "Glob":
            patterns = [given.get("glob" if tool == "Grep" else "pattern", "")]
            return _searched(given.get("path") or ".", patterns)
        case "Bash":
            command = given.get("command")
            if not isinstance(command, str) or not given.keys() <= _BASH_FIELDS or "\0" in command:
                return None
            if len(command) > MAX_COMMAND_CHARACTERS:
                return ()
            words = words_of(command)
            if words is None:
                return tuple(filter(_can_be_looked_up, seen_in(command)[1]))
            paths = paths_in(words)
            return paths if paths is not None and all(map(_can_be_looked_up, paths)) else None
    return ()


def _texts(value: object) -> tuple[str, ...] | None:
    # The CLI strips blanks and expands "~", so it would open another file than the one we checked.
    if not isinstance(value, str) or not value or value != value.strip() or value.startswith("~"):
        return None
    return (value,) if _can_be_looked_up(value) else None


def _can_be_looked_up(path: str) -> bool:
    try:
        return "\0" not in path and len(path.encode()) <= MAX_PATH_BYTES
    except UnicodeEncodeError:
        return False


def _searched(path: object, patterns: Sequence[object]) -> tuple[str, ...] | None:
    """Where a search begins. Its patterns must not lead outside."""
    for pattern in patterns:
        if not isinstance(pattern, str) or pattern.startswith(("/", "~")) or ".." in pattern:
            return None
    return _texts(path)


def _file(policy: Policy, tool: str, named: Sequence[str], resolved: Mapping[str, str]) -> Decision:
    for path in named:
        verdict = _one_file(policy, tool, path, resolved[path])
        if verdict is not _ALLOW:
            return verdict
    return _ALLOW


def _one_file(policy: Policy, tool: str, named: str, path: str) -> Decision:
    writes = tool in WRITING
    # What may not be read may not be edited.
    if forbidden := _forbidden(policy, (tool, "Read", "Edit") if writes else (tool, "Read"), named, path):
        return _denied(f"{forbidden} is denied here")
    if writes and (kept := _obeyed(policy, named, path)):
        return _denied(f"{kept} may not be written: other programs run what is in it")
    kinds = (tool, "Edit", *(("Read",) if not writes else ()))
    if any(rule.tool in kinds and matches_path(rule.pattern, policy.directory, path) for rule in policy.allow):
        return _ALLOW
    if not below(policy.directory, path):
        return _denied("that path is outside this workspace")
    return _otherwise(policy, f"no rule allows {tool} there") if writes else _ALLOW


def _forbidden(policy: Policy, tools: Sequence[str], named: str, path: str, *, whole: bool = True) -> str:
    """The rule that denies a path, as named or as resolved; "" for none. `whole`: rules that take away the whole tool
    count too; they do not for a command, any word of which could be a path."""
    both = dict.fromkeys((path, _full(policy, named)))
    for rule in policy.deny:
        if rule.tool not in tools or not (rule.pattern or whole):
            continue
        if not rule.pattern or any(forbids_path(rule.pattern, policy.directory, each) for each in both):
            return rule.text
    return ""


def _obeyed(policy: Policy, named: str, path: str) -> str:
    """The name in a path, as named or as resolved, that other programs obey; "" for none."""
    parts: set[str] = set()
    for each in (path, _full(policy, named)):
        parts |= set(folded(each.removeprefix(policy.directory)).split("/"))
    return next((name for name in OTHERS_OBEY if name in parts), "")


def _full(policy: Policy, named: str) -> str:
    return posixpath.normpath(posixpath.join(policy.directory, named))


def _bash(policy: Policy, command: str, resolved: Mapping[str, str]) -> Decision:
    if any(rule.tool == "Bash" and not rule.pattern for rule in policy.deny):
        return _denied("Bash is denied here")
    words = words_of(command) if len(command) <= MAX_COMMAND_CHARACTERS else None
    if words is None:
        if forbidden := _visibly_forbidden(policy, command, resolved):
            return _denied(f"{forbidden} is denied here")
        return _otherwise(
            policy,
            ("only a single plain command is allowed, without ; & | < > $ ` * ? ~ # \\ or newlines outside quotes"),
        )
    plain = tuple(map(folded, words))
    for rule in policy.deny:
        if rule.tool == "Bash" and forbids_command(folded(rule.pattern), plain):
            return _denied(f"{rule.text} is denied here")
    for path in paths_in(words) or ():
        if (verdict := _named_in_command(policy, path, resolved[path])) is not None:
            return verdict
    why = "no rule allows that command"
    for rule in policy.allow:
        if rule.tool == "Bash" and matches_command(rule.pattern, words):
            # Taken literally, it is what somebody wanted; with a wildcard it would allow everything.
            literal = "*" not in rule.pattern or words_of(rule.pattern) == words
            starter = "" if literal else starts_others(words, fixed_words(rule.pattern))
            if not starter:
                return _ALLOW
            why = f'no rule with "*" can allow {starter[:40]}, which can start programs or write files'
    return _otherwise(policy, why)


def _visibly_forbidden(policy: Policy, command: str, resolved: Mapping[str, str]) -> str:
    """The rule that denies something that anybody sees in a line that is not understood; "" for none."""
    commands, paths = seen_in(command) if len(command) <= MAX_COMMAND_CHARACTERS else ((), ())
    for rule in policy.deny:
        if rule.tool == "Bash" and any(
            forbids_command(folded(rule.pattern), [*map(folded, each)]) for each in commands
        ):
            return rule.text
    named = ((path, resolved[path]) for path in paths if path in resolved)
    return next(filter(None, (_forbidden(policy, ("Read", "Edit"), *each, whole=False) for each in named)), "")


def _named_in_command(policy: Policy, named: str, path: str) -> Decision | None:
    """Why a command may not name that path. Whether it reads or writes there is unknown."""
    if named.startswith("~") or not _within(policy, path):
        return _denied("that command names a path outside this workspace")
    if forbidden := _forbidden(policy, ("Read", "Edit"), named, path, whole=False):
        return _denied(f"{forbidden} is denied here, for commands too")
    if kept := _obeyed(policy, named, path):
        return _denied(f"{kept} may not be used by commands: other programs run what is in it")
    return None


def _within(policy: Policy, path: str) -> bool:
    if below(policy.directory, path):
        return True
    return any(
        rule.tool in ("Read", "Edit") and rule.pattern.startswith("//") and matches_path(rule.pattern, "/", path)
        for rule in policy.allow
    )


def _by_rules(policy: Policy, tool: str, means: Any) -> Decision:
    def fits(rule: Rule) -> bool:
        return (rule.tool == tool or (tool.startswith(MCP) and rule.tool.startswith(MCP))) and means(rule)

    forbidden = next(filter(fits, policy.deny), None)
    if forbidden is not None:
        return _denied(f"{forbidden.text} is denied here")
    return _ALLOW if any(map(fits, policy.allow)) else _otherwise(policy, f"no rule allows that use of {tool[:80]}")


def _denied(reason: str) -> Decision:
    return Decision(Behavior.DENY, reason)


def _otherwise(policy: Policy, reason: str) -> Decision:
    return Decision(Behavior.ASK if policy.asks else Behavior.DENY, reason)
