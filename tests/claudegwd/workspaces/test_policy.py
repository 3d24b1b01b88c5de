from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workspaces.policy import Behavior, Policy, decide, paths_named
from claudegwd.workspaces.rules import TOOLS, parse_rule

ALLOW, DENY, ASK = Behavior.ALLOW, Behavior.DENY, Behavior.ASK

# What is a link in the directory /w, and where it leads.
LINKS = {
    "/w/hooks": "/w/.git/hooks",
    "/w/.idea": "/w/ide",
    "/w/secret": "/w/plain",
    "/w/out": "/etc",
    "/w/in": "/w/src",
    "/w/key": "/home/u/.ssh/id",
}


def policy(
    allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), *, asks: bool = False, tools: Any = TOOLS
) -> Policy:
    return Policy("/w", frozenset(tools), tuple(map(parse_rule, allow)), tuple(map(parse_rule, deny)), asks)


def resolved(path: str) -> str:
    """As os.path.realpath would, in a world of LINKS."""
    full = os.path.normpath(os.path.join("/w", path))  # noqa: PTH118 - pure
    for link, target in LINKS.items():
        if full == link or full.startswith(link + "/"):
            return target + full[len(link) :]
    return full


def verdict(rules: Policy, tool: str, given: Mapping[str, Any]) -> Behavior:
    named = paths_named(tool, given) or ()
    return decide(rules, tool, given, {path: resolved(path) for path in named}).behavior


PYTEST = (
    "Bash(pytest *)",
    "Bash(git *)",
    "Bash(find *)",
    "Bash(cat *)",
    "Bash(env *)",
    "Bash(bash run.sh)",
    "Edit(src/**)",
)


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        # Reading, inside and out.
        ("Read", {"file_path": "/w/a.py"}, ALLOW),
        ("Read", {"file_path": "a.py"}, ALLOW),
        ("Read", {"file_path": "/etc/passwd"}, DENY),
        ("Read", {"file_path": "/w/../etc/passwd"}, DENY),
        ("Read", {"file_path": "../w2/a"}, DENY),
        ("Read", {"file_path": "/w2/a"}, DENY),
        ("Read", {"file_path": "/w/out/passwd"}, DENY),
        ("Read", {"file_path": "/w/in/a.py"}, ALLOW),
        ("Read", {"file_path": "/w/key"}, DENY),
        ("Read", {"file_path": "/w/.env"}, DENY),
        ("Read", {"file_path": ["/w/a.py"]}, DENY),
        ("Read", {"file_path": "/w/a\0b"}, DENY),
        ("Read", {"file_path": ""}, DENY),
        ("Read", {"file_path": "~/.ssh/id"}, DENY),
        ("Read", {"file_path": "~root/x"}, DENY),
        ("Read", {"file_path": " /etc/passwd"}, DENY),
        ("Read", {"file_path": "a.py\n"}, DENY),
        ("Read", {"file_path": "\u00a0/etc/passwd"}, DENY),
        ("Grep", {"pattern": "x", "path": "~"}, DENY),
        ("Glob", {"pattern": "x", "path": " /etc"}, DENY),
        ("Read", {"file_path": "x/" * 2049}, DENY),
        ("Read", {"file_path": "\ud800"}, DENY),
        ("Read", {"file_path": "/w/.ENV"}, DENY),
        ("Read", {"file_path": "/w/.e\u200cnv"}, DENY),
        ("Read", {"file_path": "/w/deep/.Env/x"}, DENY),
        ("Read", {"file_path": "secret"}, DENY),
        ("Read", {}, DENY),
        ("Grep", {"pattern": "x"}, ALLOW),
        ("Grep", {"pattern": "../x"}, ALLOW),
        ("Grep", {"pattern": "x", "path": "src"}, ALLOW),
        ("Grep", {"pattern": "x", "path": "/etc"}, DENY),
        ("Grep", {"pattern": "x", "glob": "../*"}, DENY),
        ("Glob", {"pattern": "**/*.py"}, ALLOW),
        ("Glob", {"pattern": "/etc/*"}, DENY),
        ("Glob", {"pattern": "../*"}, DENY),
        ("Glob", {"pattern": "~/*"}, DENY),
        ("Glob", {"pattern": "*", "path": "out"}, DENY),
        # Writing.
        ("Edit", {"file_path": "/w/src/a.py"}, ALLOW),
        ("Edit", {"file_path": "/w/a.py"}, DENY),
        ("Edit", {"file_path": "/w/src/../a.py"}, DENY),
        ("Edit", {"file_path": "/w/in/a.py"}, ALLOW),
        ("Edit", {"file_path": "/w/out/passwd"}, DENY),
        ("Write", {"file_path": "/w/src/new.py"}, ALLOW),
        ("Write", {"file_path": "/w/src/.git/hooks/pre-commit"}, DENY),
        ("Write", {"file_path": "/w/src/.GIT/hooks/pre-commit"}, DENY),
        ("Write", {"file_path": "/w/src/.g\u200cit/config"}, DENY),
        ("Edit", {"file_path": "~/src/a.py"}, DENY),
        ("NotebookEdit", {"notebook_path": "/w/src/a.ipynb"}, ALLOW),
        ("NotebookEdit", {"file_path": "/w/src/a.ipynb"}, DENY),
        # Plain commands.
        ("Bash", {"command": "pytest -q"}, ALLOW),
        ("Bash", {"command": "pytest"}, ALLOW),
        ("Bash", {"command": "pytest 'a; b'"}, ALLOW),
        ("Bash", {"command": "pytest", "timeout": 5, "description": "x"}, ALLOW),
        ("Bash", {"command": "pytestx"}, DENY),
        ("Bash", {"command": "ls"}, DENY),
        ("Bash", {"command": "git log"}, ALLOW),
        ("Bash", {"command": "git push origin"}, DENY),
        # Several, and what hides in one.
        ("Bash", {"command": "pytest; rm -r x"}, DENY),
        ("Bash", {"command": "pytest && rm x"}, DENY),
        ("Bash", {"command": "pytest | tee x"}, DENY),
        ("Bash", {"command": "pytest $(rm x)"}, DENY),
        ("Bash", {"command": "pytest `rm x`"}, DENY),
        ("Bash", {"command": 'pytest "$(rm x)"'}, DENY),
        ("Bash", {"command": "pytest\nrm x"}, DENY),
        ("Bash", {"command": "pytest > /etc/x"}, DENY),
        ("Bash", {"command": "pytest <<E\nE"}, DENY),
        ("Bash", {"command": "pytest &"}, DENY),
        ("Bash", {"command": "X=1 pytest"}, DENY),
        ("Bash", {"command": "env X=1 pytest"}, DENY),
        ("Bash", {"command": "sudo pytest"}, DENY),
        ("Bash", {"command": "bash -c pytest"}, DENY),
        ("Bash", {"command": "bash run.sh"}, ALLOW),
        ("Bash", {"command": "find . -exec rm x"}, DENY),
        ("Bash", {"command": "find . -name x"}, ALLOW),
        ("Bash", {"command": "git -c core.pager=x log"}, DENY),
        ("Bash", {"command": "git --exec-path=x log"}, DENY),
        # Paths in commands.
        ("Bash", {"command": "cat a.py"}, ALLOW),
        ("Bash", {"command": "cat /w/a.py"}, ALLOW),
        ("Bash", {"command": "cat /etc/passwd"}, DENY),
        ("Bash", {"command": "cat ../x"}, DENY),
        ("Bash", {"command": "cat key"}, DENY),
        ("Bash", {"command": "cat out/passwd"}, DENY),
        ("Bash", {"command": "pytest --rootdir=/etc"}, DENY),
        ("Bash", {"command": "cat '~/x'"}, DENY),
        ("Bash", {"command": "cat x://../../../../etc/shadow"}, DENY),
        ("Bash", {"command": "cat https://../../../../etc/shadow"}, DENY),
        ("Bash", {"command": "cat -nkey"}, DENY),
        ("Bash", {"command": "git log https://example.org/x"}, ALLOW),
        ("Bash", {"command": "cat " + "x/../" * 1000 + "a.py"}, DENY),
        # What a rule denies to Claude's own tools, and what other programs obey.
        ("Bash", {"command": "cat .env"}, DENY),
        ("Bash", {"command": "cat deep/.ENV"}, DENY),
        ("Bash", {"command": "cat secret"}, DENY),
        ("Bash", {"command": "git show HEAD:.env"}, DENY),
        ("Bash", {"command": "cat --number=.env"}, DENY),
        ("Bash", {"command": "cat a .git/hooks/pre-commit"}, DENY),
        ("Bash", {"command": "cat a hooks/pre-commit"}, DENY),
        ("Bash", {"command": "cat a .Git/hooks/pre-commit"}, DENY),
        ("Bash", {"command": "cat .idea/x"}, DENY),
        ("Bash", {"command": "cat a .vscode"}, DENY),
        ("Bash", {"command": "cat .gitignore"}, ALLOW),
        ("Bash", {"command": "GIT push"}, DENY),
        # What Bash's input may not say.
        ("Bash", {"command": "pytest", "run_in_background": True}, DENY),
        ("Bash", {"command": "pytest", "dangerouslyDisableSandbox": True}, DENY),
        ("Bash", {"command": ["pytest"]}, DENY),
        ("Bash", {"command": "pytest " + "x" * 20_000}, DENY),
        ("Bash", {}, DENY),
        # The web, servers, and what is unknown.
        ("WebFetch", {"url": "https://example.org/x", "prompt": "y"}, DENY),
        ("WebSearch", {"query": "x"}, DENY),
        ("mcp__git__log", {}, DENY),
        ("Agent", {"prompt": "x"}, DENY),
        ("Task", {}, DENY),
    ],
)
def test_what_is_allowed(tool: str, given: dict[str, Any], expected: Behavior) -> None:
    rules = policy((*PYTEST, "Bash(GIT *)"), ("Bash(git push *)", "Read(.env)", "Read(secret)"))
    assert verdict(rules, tool, given) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/x", ALLOW),
        ("http://example.org", ALLOW),
        ("https://EXAMPLE.org", ALLOW),
        ("https://example.org.", ALLOW),
        ("https://example.org:8443/", DENY),
        ("https://example.org@evil.test/", DENY),
        ("https://evil.test/example.org", DENY),
        ("file:///etc/passwd", DENY),
        ("https://example.org\n.evil.test", DENY),
        ("https://evil.test\\.sub.example.net/", DENY),
        ("https://evil.test%5c.sub.example.net/", DENY),
        ("https://a_b.sub.example.net/", ALLOW),
        ("//example.org", DENY),
        (5, DENY),
    ],
)
def test_pages(url: object, expected: Behavior) -> None:
    rules = policy(("WebFetch(domain:example.org)", "WebFetch(domain:*.sub.example.net)"))
    assert verdict(rules, "WebFetch", {"url": url}) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/", DENY),
        ("https://ｅxample.org/", DENY),
        ("https://ex%61mple.org/", DENY),
        ("https://10.0.0.1/", DENY),
        ("https://10.1/", DENY),
        ("https://012.0.0.1/", DENY),
        ("https://0xa000001/", DENY),
        ("https://167772161/", DENY),
        ("https://10.0.0.0x1/", DENY),
        ("https://10.0.0.2/", ALLOW),
        ("https://xn--bcher-kva.example/", ALLOW),
        ("https://1.example/", ALLOW),
    ],
)
def test_no_spelling_of_a_host_evades_a_rule_that_denies_it(url: str, expected: Behavior) -> None:
    rules = policy(("WebFetch",), ("WebFetch(domain:example.org)", "WebFetch(domain:10.0.0.1)"))
    assert verdict(rules, "WebFetch", {"url": url}) is expected


def test_search_and_servers() -> None:
    rules = policy(("WebSearch", "mcp__git"), ("mcp__git__push",))
    assert verdict(rules, "WebSearch", {"query": "x"}) is ALLOW
    assert verdict(rules, "mcp__git__log", {}) is ALLOW
    assert verdict(rules, "mcp__git__push", {}) is DENY
    assert verdict(rules, "mcp__other__log", {}) is DENY


def test_a_tool_that_is_not_listed() -> None:
    rules = policy(("Bash(pytest *)",), tools=("Read",))
    assert verdict(rules, "Bash", {"command": "pytest"}) is DENY
    assert verdict(rules, "Read", {"file_path": "a"}) is ALLOW


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        ("Bash", {"command": "rm x"}, ASK),
        ("Bash", {"command": "pytest && rm x"}, ASK),
        ("Bash", {"command": "env pytest"}, ASK),
        ("Edit", {"file_path": "a.py"}, ASK),
        ("WebFetch", {"url": "https://example.org"}, ASK),
        # A person is not asked for what is never right.
        ("Bash", {"command": "git push x"}, DENY),
        ("Bash", {"command": "cat /etc/passwd"}, DENY),
        ("Bash", {"command": "pytest", "run_in_background": True}, DENY),
        ("Read", {"file_path": "/etc/passwd"}, DENY),
        ("Edit", {"file_path": "/etc/passwd"}, DENY),
        ("Edit", {"file_path": ".git/config"}, DENY),
        ("Agent", {}, DENY),
    ],
)
def test_what_a_person_is_asked(tool: str, given: dict[str, Any], expected: Behavior) -> None:
    assert verdict(policy(PYTEST, ("Bash(git push *)",), asks=True), tool, given) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat .env | head", DENY),
        ("head < .env", DENY),
        ("x=$(cat 'secret')", DENY),
        ("true; git push origin", DENY),
        ("true && X=1 git push origin", DENY),
        ("(git push origin)", DENY),
        ("git 'push' origin\ntrue", DENY),
        ("echo git push | cat", ASK),
        ("cat a > /dev/null", ASK),
        ("git status; echo 'push'", ASK),
        ("x" * 20_001, ASK),
    ],
)
def test_nobody_is_asked_for_what_is_seen_to_be_denied(command: str, expected: Behavior) -> None:
    rules = policy(PYTEST, ("Bash(git push *)", "Read(.env)", "Read(secret)"), asks=True)
    assert verdict(rules, "Bash", {"command": command}) is expected
    assert verdict(policy(PYTEST), "Bash", {"command": command}) is DENY


@pytest.mark.parametrize(
    ("allow", "command", "expected"),
    [
        ("sort *", "sort -uo f", DENY),
        ("sort *", "sort -u f", ALLOW),
        ("sort -uo f", "sort -uo f", ALLOW),
        ("tar *", "tar -xIprog -f y", DENY),
        ("python3 -m unittest *", "python3 -m unittest -q", ALLOW),
        ("python3 *", "python3 -m unittest -q", ALLOW),
        ("py*", "python3 -c x", DENY),
        ("sed *", "sed -n 1p f", DENY),
        ("find . -name '*.pyc' -delete", 'find . -name "*.pyc" -delete', ALLOW),
        ("find . -name '*.pyc' -delete", "find . -name 'a.pyc' -delete", DENY),
        ("uv run pytest *", "uv run pytest -q", ALLOW),
    ],
)
def test_a_wildcard_allows_no_program_to_start_others(allow: str, command: str, expected: Behavior) -> None:
    assert verdict(policy((f"Bash({allow})",)), "Bash", {"command": command}) is expected


@pytest.mark.parametrize(
    ("rule", "command"),
    [
        ('git commit -m "a b"', "git commit -m 'a b'"),
        ('git commit -m "a b"', 'git commit -m "a b"'),
        ("echo 'a'", "echo a"),
        ("git show HEAD^", "git show HEAD^"),
        ("git show HEAD^", "git  show 'HEAD^'"),
    ],
)
def test_a_rule_for_a_whole_command_is_about_its_words(rule: str, command: str) -> None:
    assert verdict(policy((f"Bash({rule})",)), "Bash", {"command": command}) is ALLOW
    assert verdict(policy((f"Bash({rule})",)), "Bash", {"command": f"{command} x"}) is DENY


@pytest.mark.parametrize("rule", ['git commit -m "wip*"', "git commit -m 'wip*'", "git commit -m wip*"])
@pytest.mark.parametrize("command", ["git commit -m wip", 'git commit -m "wip x"', "git commit -m wi'p'"])
def test_no_quotes_evade_a_rule_that_denies(rule: str, command: str) -> None:
    rules = policy(("Bash(git *)",), (f"Bash({rule})",))
    assert verdict(rules, "Bash", {"command": command}) is DENY
    assert verdict(rules, "Bash", {"command": "git commit -m done"}) is ALLOW


def test_another_rule_may_allow_what_one_with_a_wildcard_does_not() -> None:
    rules = policy(("Bash(sort *)", "Bash(sort -o f)"))
    assert verdict(rules, "Bash", {"command": "sort -o f"}) is ALLOW


def test_a_rule_without_a_path_takes_the_tool_away_and_leaves_commands() -> None:
    rules = policy(PYTEST, ("Edit",))
    assert verdict(rules, "Edit", {"file_path": "src/a.py"}) is DENY
    assert verdict(rules, "Bash", {"command": "pytest -q"}) is ALLOW


@pytest.mark.parametrize("tool", ["Read", "Edit"])
def test_a_rule_without_a_path_takes_the_tool_away_outside_as_well(tool: str) -> None:
    rules = policy((f"{tool}(//opt/tool/**)",), (tool,))
    assert verdict(rules, tool, {"file_path": "/opt/tool/x"}) is DENY


def test_a_rule_against_writing_holds_for_commands() -> None:
    rules = policy(("Bash(cp *)",), ("Edit(dist/**)",))
    assert verdict(rules, "Bash", {"command": "cp a dist/b"}) is DENY
    assert verdict(rules, "Bash", {"command": "cp a dist"}) is DENY
    assert verdict(rules, "Bash", {"command": "cp a b"}) is ALLOW


@pytest.mark.parametrize(
    ("path", "expected"), [("key1.pem", DENY), ("key[0-9].pem", DENY), ("KEY1.pem", DENY), ("keys.pem.txt", ALLOW)]
)
def test_brackets_in_a_rule_deny_what_anybody_could_mean(path: str, expected: Behavior) -> None:
    rules = policy(("Bash(cat *)",), ("Read(key[0-9].pem)",))
    assert verdict(rules, "Read", {"file_path": path}) is expected
    assert verdict(rules, "Bash", {"command": f"cat '{path}'"}) is expected


def test_what_is_opened_outside() -> None:
    rules = policy(("Read(//opt/tool/**)", "Edit(//srv/out/*)", "Bash(cat *)"))
    assert verdict(rules, "Read", {"file_path": "/opt/tool/x"}) is ALLOW
    assert verdict(rules, "Edit", {"file_path": "/opt/tool/x"}) is DENY
    assert verdict(rules, "Edit", {"file_path": "/srv/out/x"}) is ALLOW
    assert verdict(rules, "Read", {"file_path": "/srv/out/x"}) is ALLOW
    assert verdict(rules, "Bash", {"command": "cat /opt/tool/x"}) is ALLOW
    assert rules.outside("Read") == ("/opt/tool",)
    assert rules.outside("Edit") == ("/srv/out",)


OPERATORS = st.sampled_from(list(";&|<>$`\\\n(){}*?[~#!"))
UNQUOTED = st.text(st.characters(codec="utf-8", exclude_characters="'\"\0"), max_size=20)


@given(UNQUOTED, OPERATORS, UNQUOTED)
def test_no_prefix_rule_allows_an_operator_outside_of_quotes(before: str, operator: str, after: str) -> None:
    rules = policy(("Bash(pytest *)", "Bash(pytest*)", "Bash(p:*)", "Bash(* x)"))
    assert verdict(rules, "Bash", {"command": f"pytest {before}{operator}{after}"}) is DENY


@given(st.text(max_size=60), st.booleans())
def test_every_command_gets_an_answer(command: str, asks: bool) -> None:
    assert verdict(policy(PYTEST, asks=asks), "Bash", {"command": command}) in Behavior
