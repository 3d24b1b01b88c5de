"""A tag, the version and the changelog have to agree before anything is built."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def check(place: Path, heading: str, *words: str) -> subprocess.CompletedProcess[str]:
    (place / "packaging").mkdir(exist_ok=True)
    for name in ("packaging/check-release", "pyproject.toml"):
        shutil.copy(ROOT / name, place / name)
    (place / "CHANGELOG.md").write_text(f"# Changes\n\n## {heading}\n\n- New.\n\n## 0.0.9 (2025-01-01)\n\n- Old.\n")
    command = [sys.executable, place / "packaging/check-release", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_agrees_is_released_with_its_part_of_the_changelog(tmp_path: Path) -> None:
    done = check(tmp_path, f"{VERSION} (2026-01-31)", f"v{VERSION}", "--notes")
    assert (done.returncode, done.stdout) == (0, "- New.\n")


@pytest.mark.parametrize(
    ("heading", "tag", "said"),
    [
        (f"{VERSION} (unreleased)", f"v{VERSION}", "write"),
        ("0.0.9 (2025-01-01)", f"v{VERSION}", "the first heading of CHANGELOG.md is '0.0.9"),
        (f"{VERSION} (2026-01-31)", "v99.0.0", f"pyproject.toml says {VERSION}"),
        (f"{VERSION} (2026-01-31)", VERSION, f"tag it v{VERSION}"),
    ],
)
def test_what_does_not_agree_is_not(tmp_path: Path, heading: str, tag: str, said: str) -> None:
    done = check(tmp_path, heading, tag)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot release {tag}: ")
    assert said in done.stderr
