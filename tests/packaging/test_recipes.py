"""The recipes of other systems, as far as their own tools judge them here."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"


def formula(tmp_path: Path) -> Path:
    sdist = tmp_path / "claudegwd-1.2.3.tar.gz"
    sdist.write_bytes(b"a release")
    words = [sys.executable, PACKAGING / "build-formula", sdist, "https://example.org/a.tar.gz", "https://example.org"]
    made = tmp_path / "claudegwd.rb"
    made.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return made


def test_the_formula_names_the_very_file(tmp_path: Path) -> None:
    text = formula(tmp_path).read_text()
    assert f'sha256 "{hashlib.sha256(b"a release").hexdigest()}"' in text
    assert 'depends_on "python@3.13"' in text
    assert not re.search("@[A-Z]+@", text), "a gap was left open"
    for path in re.findall(r'"(packaging/[^"*]+)', text):
        assert (PACKAGING.parent / path).exists(), path


@pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby, which reads the formula, is not installed")
def test_ruby_can_read_the_formula(tmp_path: Path) -> None:
    done = subprocess.run(["ruby", "-wc", formula(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Syntax OK\n", "")


@pytest.mark.skipif(shutil.which("rpmspec") is None, reason="rpmspec, which reads the recipe, is not installed")
def test_rpm_can_read_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "said").write_text("A daemon.\n\nWith two paragraphs.\n")
    names = {"root": "/r", "gw_version": "1.2.3", "gw_python": "3.11", "gw_description": str(tmp_path / "said")}
    defined = [word for name, value in names.items() for word in ("--define", f"{name} {value}")]
    command = ["rpmspec", "-q", "--qf", "%{NAME} %{VERSION} [%{REQUIRES} ]", *defined, PACKAGING / "rpm/claudegwd.spec"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("claudegwd 1.2.3 "), done.stderr
    assert "python(abi)" in done.stdout
