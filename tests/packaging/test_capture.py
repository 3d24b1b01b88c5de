"""The README's pictures: those that are committed, and the taking of new ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.terminal import needs_tmux

ROOT = Path(__file__).parents[2]
# What is to be seen, whichever run it was.
SHOWN = {
    "chat": ("claudegwctl chat", "Hello from the claudegwd demo!", "tokens · first token after"),
    "top": ("claudegwd", "ready", "nightly-build", "streaming", "cooling", "active", "? help"),
}


def texts(file: Path) -> str:
    """The words in a picture."""
    found = ET.parse(file).iter("{http://www.w3.org/2000/svg}text")
    return " ".join("".join(element.itertext()) for element in found).replace("\xa0", " ")


@pytest.mark.parametrize("name", SHOWN)
def test_the_readme_has_it_and_it_loads_nothing(name: str) -> None:
    file = ROOT / "docs" / f"{name}.svg"
    for words in SHOWN[name]:
        assert words in texts(file)
    assert file.read_text().replace("http://www.w3.org/2000/svg", "").count("http") == 0
    assert f"](docs/{name}.svg)" in (ROOT / "README.md").read_text()


@pytest.mark.cli
@needs_tmux
def test_new_ones_are_taken_of_a_real_run(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "packaging" / "capture"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name, words in SHOWN.items():
        found = texts(tmp_path / f"{name}.svg")
        assert [word for word in words if word not in found] == []
