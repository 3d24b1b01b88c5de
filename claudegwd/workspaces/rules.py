"""Workspace rules in Claude Code's own syntax: `Read(src/**)`, `Bash(pytest *)`, `WebFetch(domain:a.org)`."""

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from claudegwd.workspaces.command import words_of
from claudegwd.workspaces.globs import matches_text, path_glob

READING: Final = ("Read", "Grep", "Glob")
WRITING: Final = ("Edit", "Write", "NotebookEdit")
TOOLS: Final = (*READING, *WRITING, "Bash", "WebFetch", "WebSearch")
MCP: Final = "mcp__"
_DOMAIN: Final = "domain:"
_RULE: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*\*?)(?:\((.*)\))?")
_MCP_TOOL: Final = re.compile(r"mcp__[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*(?:__(?:\*|[A-Za-z0-9_-]+))?")
_SET: Final = re.compile(r"\[[^\]/]+\]")
_QUOTES: Final = str.maketrans("", "", "'\"")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?")

# A pattern is matched for each call; a longer one is not a reasonable pattern.
MAX_RULE_CHARACTERS: Final = 1000


class RuleError(ValueError):
    """A rule that cannot be used; the text completes "cannot hold "RULE": …"."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` "" matches every call of the tool."""

    tool: str
    pattern: str = ""

    @property
    def text(self) -> str:
        """As written in a configuration."""
        return f"{self.tool}({self.pattern})" if self.pattern else self.tool


def parse_rule(text: str) -> Rule:
    """Raises RuleError, which says what to write instead."""
    found = _RULE.fullmatch(text)
    if found is None or len(text) > MAX_RULE_CHARACTERS:
        raise RuleError('use the name of a tool, with what it may be used for in parentheses, such as "Bash(pytest *)"')
    tool, pattern = found[1], found[2]
    if tool.startswith(MCP):
        if pattern is not None or not _MCP_TOOL.fullmatch(text):
            raise RuleError('use "mcp__SERVER" or "mcp__SERVER__TOOL"')
        return Rule(tool)
    if tool not in TOOLS:
        raise RuleError(f"{tool[:40]} is not one of the tools {', '.join(TOOLS)}")
    if pattern is None:
        return Rule(tool)
    _check_pattern(tool, pattern)
    return Rule(tool, pattern)


def _check_pattern(tool: str, pattern: str) -> None:
    if not pattern.strip():
        raise RuleError(f"use {tool} alone, or say in parentheses what it may be used for")
    if tool in ("Read", "Edit"):
        if pattern.startswith("~") or ".." in pattern.split("/"):
            raise RuleError('use a path below the directory, or "//" and an absolute path')
    elif tool in READING:
        raise RuleError(f"use Read({pattern}), which also applies to {tool}")
    elif tool in WRITING:
        raise RuleError(f"use Edit({pattern}), which also applies to {tool}")
    elif tool == "WebFetch":
        if not pattern.startswith(_DOMAIN) or not _HOST.fullmatch(pattern.removeprefix(_DOMAIN)):
            raise RuleError('use a host in lower case, such as "WebFetch(domain:example.org)"')
    elif tool == "WebSearch":
        raise RuleError("use WebSearch alone")


def matches_path(pattern: str, directory: str, path: str) -> bool:
    """Whether a pattern of `Read(…)` or `Edit(…)` matches this path; both are absolute, without symbolic links or "..".

    As in a .gitignore: without a slash it matches that name at any depth, and everything below a match matches too. But
    "a/**" also matches "a": who searches, copies or removes it means all that is in it.
    """
    if not pattern:
        return below(directory, path)
    absolute, anchored = pattern.startswith("//"), "/" in pattern.rstrip("/")
    pattern = pattern.removeprefix("./")
    pattern = pattern.rstrip("/") if pattern.strip("/") else pattern
    pattern = pattern.removesuffix("/**") if pattern.removesuffix("/**").strip("/") else pattern
    if absolute:
        return path_glob(pattern[1:]).matches(path)
    if not below(directory, path):
        return False
    relative = path[len(directory.rstrip("/")) + 1 :]
    clean = pattern.strip("/")
    return path_glob(clean if anchored else f"**/{clean}").matches(relative)


def forbids_path(pattern: str, directory: str, path: str) -> bool:
    """The same for a rule of `deny`, which also matches any other spelling that a file system treats as equal. Brackets
    may be meant as a set of characters, as in a .gitignore, or as they are: they stand for themselves and for any one.
    """
    patterns = dict.fromkeys((pattern, _SET.sub("?", pattern)))
    return any(matches_path(folded(each), folded(directory), folded(path)) for each in patterns)


def folded(text: str) -> str:
    """A name as case-insensitive file systems compare it: macOS also ignores invisible characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return plain if plain.isascii() else "".join(char for char in plain if unicodedata.category(char) != "Cf")


def below(directory: str, path: str) -> bool:
    """Whether the path is the directory, or inside it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def granted(pattern: str) -> str | None:
    """The directory outside the workspace that a pattern allows: the part before its first wildcard."""
    if not pattern.startswith("//"):
        return None
    parts = pattern[1:].split("/")
    fixed = next((index for index, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:fixed]) or "/"


def has_wildcard(text: str) -> bool:
    """Whether a pattern of this text would match others as well."""
    return "*" in text or "?" in text


def matches_command(pattern: str, words: Sequence[str]) -> bool:
    """Whether a pattern of `Bash(…)` matches this one plain command, given as its words.

    `*` stands for anything; at the end, " *" or ":*" may also stand for nothing. A word with a space stays one word.
    """
    # Without wildcards, whatever quotes the rule was written with.
    return not pattern or words_of(pattern) == tuple(words) or _matches_line(pattern, shlex.join(words))


def forbids_command(pattern: str, words: Sequence[str]) -> bool:
    """The same for a rule of `deny`, which also matches if only the quotes differ."""
    return matches_command(pattern, words) or _matches_line(
        pattern.translate(_QUOTES), " ".join(words).translate(_QUOTES)
    )


def _matches_line(pattern: str, text: str) -> bool:
    pattern = pattern[:-2] + " *" if pattern.endswith(":*") else pattern
    if pattern.endswith(" *") and text == pattern[:-2]:
        return True
    return matches_text(pattern, text)


def fixed_words(pattern: str) -> tuple[str, ...]:
    """The words that each matching command begins with: the whole words before the first wildcard."""
    before, star, _ = pattern.replace(":*", " *").partition("*")
    try:
        words = tuple(shlex.split(before))
    except ValueError:
        return ()
    return words if not star or before.endswith(" ") else words[:-1]


def matches_host(pattern: str, host: str) -> bool:
    """Whether a pattern of `WebFetch(domain:…)` matches this host."""
    wanted = pattern.removeprefix(_DOMAIN)
    if not pattern:
        return True
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else host == wanted


def matches_mcp(rule: Rule, tool: str) -> bool:
    """Whether a rule for a server or one of its tools matches this tool."""
    server = rule.tool.removesuffix("__*")
    return tool == rule.tool or (server.count("__") == 1 and tool.startswith(f"{server}__"))
