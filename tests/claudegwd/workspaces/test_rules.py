from __future__ import annotations

import pytest

from claudegwd.workspaces.rules import (
    Rule,
    RuleError,
    fixed_words,
    granted,
    matches_command,
    matches_host,
    matches_mcp,
    matches_path,
    parse_rule,
)


@pytest.mark.parametrize(
    "text",
    ["Read", "Bash", "Bash(pytest *)", "Bash(npm run test:*)", "Edit(src/**)", "Read(//opt/tool/**)",
     "WebFetch(domain:example.org)", "WebFetch(domain:*.example.org)", "WebSearch", "mcp__git", "mcp__git__log",
     "mcp__git__*"],
)  # fmt: skip
def test_a_rule_is_read_and_written_alike(text: str) -> None:
    assert parse_rule(text).text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "use the name of a tool"),
        ("Bash(", "use the name of a tool"),
        ("Bash (ls)", "use the name of a tool"),
        ("Task", "is not one of the tools"),
        ("Bash()", "use Bash alone"),
        ("Write(src/**)", "use Edit(src/**)"),
        ("Grep(src/**)", "use Read(src/**)"),
        ("Read(../x)", "a path below the directory"),
        ("Read(~/x)", "a path below the directory"),
        ("WebFetch(example.org)", "domain:example.org"),
        ("WebFetch(domain:http://x)", "domain:example.org"),
        ("WebSearch(x)", "WebSearch alone"),
        ("mcp__git(x)", "mcp__SERVER"),
        ("mcp__", "mcp__SERVER"),
        ("Bash(" + "x" * 1000 + ")", "use the name of a tool"),
    ],
)
def test_what_is_no_rule_says_what_to_write(text: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("", "/w/a", True),
        ("", "/w", True),
        ("", "/wx/a", False),
        ("src/**", "/w/src/a.py", True),
        ("src/**", "/w/src/deep/a.py", True),
        ("src/**", "/w/srcs/a.py", False),
        ("src/*", "/w/src/a.py", True),
        ("src/*.py", "/w/src/a.txt", False),
        ("src", "/w/src/a.py", True),
        ("src/", "/w/other/src/a.py", True),
        ("/src", "/w/src/a.py", True),
        ("./src/a.py", "/w/src/a.py", True),
        ("/src", "/w/other/src/a.py", False),
        (".env", "/w/.env", True),
        (".env", "/w/deep/.env", True),
        (".env", "/w/x.env", False),
        ("*.key", "/w/deep/a.key", True),
        ("a?.py", "/w/ab.py", True),
        ("a?.py", "/w/a/.py", False),
        ("**/test_*.py", "/w/test_a.py", True),
        ("src/**", "/etc/src/a", False),
        ("//opt/tool/**", "/opt/tool/bin/x", True),
        ("//opt/tool/**", "/opt/toolx/bin", False),
        ("//opt/tool", "/opt/tool", True),
        # The directory that a search or a copy of all of it names.
        ("//opt/tool/**", "/opt/tool", True),
        ("//opt/tool/", "/opt/tool/bin", True),
        ("src/**", "/w/src", True),
        ("src/**", "/w/deep/src", False),
        ("**", "/w/a", True),
        ("./**", "/w/a", True),
        ("./src/**", "/w/src", True),
        ("./src", "/w/deep/src", False),
        ("//**", "/opt", True),
        ("a.c", "/w/abc", False),
    ],
)
def test_paths(pattern: str, path: str, matches: bool) -> None:
    assert matches_path(pattern, "/w", path) is matches


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("//opt/tool/**", "/opt/tool"), ("//opt/*/x", "/opt"), ("//a", "/a"), ("//*", "/"), ("src/**", None), ("", None)],
)
def test_what_a_pattern_opens_outside(pattern: str, path: str | None) -> None:
    assert granted(pattern) == path


@pytest.mark.parametrize(
    ("pattern", "words", "matches"),
    [
        ("pytest *", ("pytest", "-q"), True),
        ("pytest *", ("pytest",), True),
        ("pytest *", ("pytest-evil", "-q"), False),
        ("pytest*", ("pytest-xdist",), True),
        ("pytest:*", ("pytest", "-q"), True),
        ("pytest:*", ("pytestx",), False),
        ("pytest", ("pytest", "-q"), False),
        ("npm run *", ("npm", "run", "test"), True),
        ("npm run *", ("npm", "run test"), False),
        ("git log *", ("git log", "x"), False),
        ("git * --stat", ("git", "diff", "--stat"), True),
        ("", ("anything",), True),
        ("ls .", ("ls", "x"), False),
    ],
)
def test_commands(pattern: str, words: tuple[str, ...], matches: bool) -> None:
    assert matches_command(pattern, words) is matches


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("python -m pytest *", ("python", "-m", "pytest")),
        ("python -m pytest:*", ("python", "-m", "pytest")),
        ("python -m pytest*", ("python", "-m")),
        ("awk '{print}' *", ("awk", "{print}")),
        ("awk '*", ()),
        ("py* -m pytest", ()),
        ("ls", ("ls",)),
        ("*", ()),
    ],
)
def test_what_a_pattern_fixes(pattern: str, words: tuple[str, ...]) -> None:
    assert fixed_words(pattern) == words


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("", "any.example", True),
        ("domain:example.org", "example.org", True),
        ("domain:example.org", "evil-example.org", False),
        ("domain:example.org", "example.org.evil", False),
        ("domain:*.example.org", "a.example.org", True),
        ("domain:*.example.org", "example.org", False),
        ("domain:*.example.org", "evilexample.org", False),
    ],
)
def test_hosts(pattern: str, host: str, matches: bool) -> None:
    assert matches_host(pattern, host) is matches


@pytest.mark.parametrize(
    ("rule", "tool", "matches"),
    [
        ("mcp__git", "mcp__git__log", True),
        ("mcp__git__*", "mcp__git__log", True),
        ("mcp__git__*", "mcp__git2__log", False),
        ("mcp__git__log", "mcp__git__log", True),
        ("mcp__git__log", "mcp__git__log2", False),
        ("mcp__git", "mcp__git2__log", False),
    ],
)
def test_servers(rule: str, tool: str, matches: bool) -> None:
    assert matches_mcp(Rule(rule), tool) is matches
