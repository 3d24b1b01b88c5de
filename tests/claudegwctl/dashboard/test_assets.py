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


def _palettes() -> list[dict[str, str]]:
    text = (PAGE / "style.css").read_text()
    blocks = re.findall(r":root[^{]*\{\s*color-scheme: \w+;([^}]*)\}", text)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_everything_can_be_read_in_light_and_dark() -> None:
    """As WCAG 2 has it: 4.5 to 1 for texts, 3 to 1 for the bars of a chart."""
    light, dark, system_dark = _palettes()
    assert dark == system_dark
    for palette in (light, dark):
        for text in ("text", "dim", "accent", "good", "warn", "bad"):
            for behind in ("page", "card"):
                assert _contrast(palette[text], palette[behind]) >= 4.5, (text, behind)
        assert _contrast(palette["bad"], palette["bad-page"]) >= 4.5
        assert _contrast(palette["text"], palette["said-page"]) >= 4.5
        assert _contrast(palette["card"], palette["accent"]) >= 4.5
        for number in range(7):
            assert _contrast(palette[f"s{number}"], palette["card"]) >= 3
