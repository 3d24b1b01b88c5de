"""What the documentation says holds: its tables, settings, commands, links and paths."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from claudegwd.config.check import build, flatten
from claudegwd.config.environment import NO_SETTINGS, read_environment
from claudegwd.config.fields import FIELDS, KEYS
from claudegwd.config.problems import Errors
from claudegwd.config.workspaces import read_workspaces
from tests.doc_codes import written_codes
from tests.doc_sources import TABLES, commands
from tests.doc_tables import DOCUMENTS, ROOT, empty_cells, written_anew

TEXT = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}
ALL_TEXT = "\n".join(TEXT.values())
each_document = pytest.mark.parametrize("name", TEXT)


@each_document
def test_tables_are_as_the_code_has_them(name: str) -> None:
    assert TEXT[name] == written_anew(TEXT[name]), "run `python -m tests.doc_tables`"
    assert empty_cells(TEXT[name]) == []


def test_every_table_stands_somewhere() -> None:
    assert {name for name in TABLES if f"<!-- table: {name} -->" not in ALL_TEXT} == set()


def test_every_code_of_an_error_is_documented() -> None:
    assert {code for code in written_codes() if f"`{code}`" not in TEXT["docs/compatibility.md"]} == set()


def test_every_setting_is_documented() -> None:
    assert [key for key in KEYS if f"| `{key}` |" not in TEXT["docs/configuration.md"]] == []


@each_document
def test_settings_that_are_named_exist(name: str) -> None:
    named = re.findall(rf"`((?:{'|'.join(FIELDS)})\.[a-z_]+)\b(?!\()(?: = |`)", TEXT[name])
    files = {"keys.json", "log.py"}
    assert [key for key in named if key not in KEYS and key not in files] == []


def _toml_blocks() -> Iterator[tuple[str, str]]:
    for name, text in TEXT.items():
        for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield name, block


@pytest.mark.parametrize(("name", "block"), list(_toml_blocks()))
def test_examples_of_the_configuration_are_valid(name: str, block: str) -> None:
    tables, errors = tomllib.loads(block), Errors()
    read_workspaces(tables.pop("workspaces", {}), name, errors)
    build(flatten(tables, name, errors), lambda key: (name, key), errors)


def test_variables_that_are_named_exist() -> None:
    named = set(re.findall(r"\bCLAUDEGWD_[A-Z_]*[A-Z]\b", ALL_TEXT)) - NO_SETTINGS
    assert named
    for variable in named:
        assert read_environment({variable: "1"}).warnings == ()


def test_every_command_is_mentioned() -> None:
    assert [name for name, _, _ in commands() if f"`claudegwctl {name}`" not in TEXT["docs/control.md"]] == []


def test_commands_that_are_mentioned_exist() -> None:
    known = {name for name, _, _ in commands()}
    groups = {name.split()[0] for name in known}
    for words in re.findall(r"(?:`|\$ |/)claudegwctl ((?:[a-z]+ ?){1,2})", ALL_TEXT):
        first, *rest = words.split()
        assert first in groups, words
        assert first in known or not rest or f"{first} {rest[0]}" in known, words


def _anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@each_document
def test_links_lead_somewhere(name: str) -> None:
    here = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT[name]):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there.read_text()), target


def test_every_page_is_reached_from_the_readme() -> None:
    assert [name for name in TEXT if name != "README.md" and f"]({name}" not in TEXT["README.md"]] == []


def test_every_page_is_in_the_sites_navigation() -> None:
    nav = YAML(typ="safe").load(ROOT / "mkdocs.yml")["nav"]
    listed = re.findall(r"[\w./-]+\.md", str(nav))
    pages = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))]
    assert sorted(listed) == sorted("index.md" if page == "README.md" else page for page in pages)


@each_document
def test_files_that_are_named_exist(name: str) -> None:
    for path in re.findall(r"`([a-z_.]+(?:/[a-z_.]+)*(?:\.py|/))`", TEXT[name]):
        places = (ROOT / path, ROOT / "claudegwd" / path, ROOT / "claudegwctl" / path)
        assert any(place.exists() for place in places), path


def test_the_readmes_lines_use_what_is_there() -> None:
    readme = TEXT["README.md"]
    first, second = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[:2]
    assert first.count("\n") == second.count("\n") == 1, "each is a single paste"
    assert "--require-hashes -r constraints.txt" in first
    assert second == "tests/run\n"
    ci = (ROOT / ".ci/run").read_text()
    assert "bounded() { timeout " in ci
    assert "\nbounded tests/run " in ci
    assert all((ROOT / script).stat().st_mode & 0o111 for script in ("tests/run", ".ci/run"))


def _pinned(file: str) -> dict[str, str]:
    text = re.sub(r"\\\n\s+", "", (ROOT / file).read_text())
    return {line.split("==")[0]: line for line in text.split("\n") if line and not line.startswith("#")}


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-dev.txt"])
def test_all_that_is_needed_is_pinned_with_hashes(file: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["cli"]]
    needed += [line for line in (ROOT / "constraints.in").read_text().split("\n") if line and line[0] != "#"]
    if file == "constraints-dev.txt":
        needed += project["dependency-groups"]["dev"]
    pinned = _pinned(file)
    for requirement in map(Requirement, needed):
        version = pinned[requirement.name].split("==")[1].split(" ")[0]
        assert requirement.specifier.contains(version), f"{file} has {requirement.name} {version}"
    assert [name for name, line in pinned.items() if "--hash=sha256:" not in line] == []


def test_whoever_has_to_log_in_is_sent_to_a_command_that_is_there() -> None:
    """After none of the ways in is `claude` on the path, and for a service it would log in somebody else."""
    sources = [path for top in ("claudegwd", "claudegwctl") for path in (ROOT / top).rglob("*.py")]
    texts = TEXT | {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sources}
    assert "pip install claude-agent-sdk" not in "".join(texts.values()), "elsewhere than beside us it is not found"
    asked = re.compile(r'`claude (?:setup-token|auth|login|/login)|`claude`, then|/login`|"claude setup-token')
    found = [name for name, text in texts.items() for line in text.splitlines() if asked.search(line.split("  # ")[0])]
    assert [name for name in found if name != "docs/claude-cli-notes.md"] == []
