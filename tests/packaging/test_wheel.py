import email
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
# What a distributor finds below the prefix.
DATA = {
    "lib/systemd/system/claudegwd.service": "systemd/claudegwd.service",
    "lib/systemd/system/claudegwd.socket": "systemd/claudegwd.socket",
    "lib/systemd/user/claudegwd.service": "systemd/user/claudegwd.service",
    "lib/sysusers.d/claudegwd.conf": "sysusers.d/claudegwd.conf",
    "lib/tmpfiles.d/claudegwd.conf": "tmpfiles.d/claudegwd.conf",
    "share/man/man1/claudegwctl.1": "man/claudegwctl.1",
    "share/man/man5/claudegwd.toml.5": "man/claudegwd.toml.5",
    "share/man/man8/claudegwd.8": "man/claudegwd.8",
    "share/bash-completion/completions/claudegwctl": "completions/bash/claudegwctl",
    "share/zsh/site-functions/_claudegwctl": "completions/zsh/_claudegwctl",
    "share/fish/vendor_completions.d/claudegwctl.fish": "completions/fish/claudegwctl.fish",
}


@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling, which builds the wheel, is not installed")
def test_the_wheel_holds_the_same_files_for_its_installer_and_for_a_distributor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = tmp_path.glob("*.whl")
    data = "-".join(path.name.split("-")[:2]) + ".data/data/"
    with zipfile.ZipFile(path) as wheel:
        for place, source in DATA.items():
            assert wheel.read(data + place) == (PACKAGING / source).read_bytes()
        for kind in ("systemd", "sysusers.d", "tmpfiles.d", "launchd", "man", "completions"):
            for file in (PACKAGING / kind).rglob("*"):
                if file.is_file():
                    inside = f"claudegwctl/packaging/{file.relative_to(PACKAGING)}"
                    assert wheel.read(inside) == file.read_bytes()
        for file in (ROOT / "claudegwctl" / "dashboard" / "page").iterdir():
            assert wheel.read(f"claudegwctl/dashboard/page/{file.name}") == file.read_bytes()


@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling, which builds the wheel, is not installed")
@pytest.mark.parametrize("home", ["", "https://example.org/us/claudegwd"])
def test_the_wheels_metadata(tmp_path: Path, home: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "PROJECT_URL": home})
    [path] = tmp_path.glob("*.whl")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = f"claudegwd-{project['version']}.dist-info"
    with zipfile.ZipFile(path) as wheel:
        metadata = email.message_from_string(wheel.read(f"{folder}/METADATA").decode())
        scripts = wheel.read(f"{folder}/entry_points.txt").decode()
    assert (metadata["Name"], metadata["Version"]) == ("claudegwd", project["version"])
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert str(metadata.get_payload()).strip() == (ROOT / "README.md").read_text().strip()
    assert scripts == "[console_scripts]\nclaudegwctl = claudegwctl.main:main\nclaudegwd = claudegwd.main:main\n"
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL") or ())
    assert urls.get("Homepage", "") == home
    assert all(url.startswith(home) for url in urls.values())
    # Each with the least version that it was tried with.
    needed = [text for text in metadata.get_all("Requires-Dist") or () if "extra ==" not in text]
    assert len(needed) == len(project["dependencies"])
    assert all(">=" in text for text in needed), needed
