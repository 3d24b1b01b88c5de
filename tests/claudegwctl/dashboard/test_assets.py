from __future__ import annotations

import re
from pathlib import Path

import pytest

from claudegwctl.dashboard import assets
from tests.control_cli import ROOT

PAGE = ROOT / "claudegwctl" / "dashboard" / "page"
TEXTS = sorted(PAGE.iterdir())


def test_every_file_of_the_page_is_served() -> None:
    found = assets.load()
    assert set(found) == {path.name for path in TEXTS} - {"index.html"} | {""}
    assert found[""].body == (PAGE / "index.html").read_bytes()
    assert found["main.js"].content_type == "text/javascript; charset=utf-8"
    assert found["style.css"].content_type == "text/css; charset=utf-8"


def test_the_policy_begins_with_nothing_and_adds_only_what_is_ours() -> None:
    rules = dict(rule.split(" ", 1) for rule in assets.POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert {value for name, value in rules.items() if name.endswith("-src")} == {"'none'", "'self'"}
    assert "unsafe" not in assets.POLICY


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text()
    addresses = re.findall(r"https?://[^\s\"')]+", text)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}  # a name of the language, not an address
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", text)
    # What would make markup of a text.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_every_module_that_is_named_exists() -> None:
    names = {path.name for path in TEXTS}
    for path in TEXTS:
        named = re.findall(r'from "\./([^"]+)"|(?:src|href)="([a-z][^"]*)"', path.read_text())
        assert {one or other for one, other in named} <= names, path.name


def test_every_element_that_the_modules_look_for_is_in_the_page() -> None:
    ids = re.findall(r' id="([^"]+)"', (PAGE / "index.html").read_text())
    assert len(ids) == len(set(ids))
    for path in PAGE.glob("*.js"):
        assert set(re.findall(r'\$\("([^"]+)"\)', path.read_text())) <= set(ids), path.name


def test_what_the_page_refers_to_by_id_is_there() -> None:
    page = (PAGE / "index.html").read_text()
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) | set(re.findall(r'href="#([^"]+)"', page)) <= ids
