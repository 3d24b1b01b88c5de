"""Judges that run in Node: their packages, and their tests.

A folder beside this file holds judge.test.mjs, which asks, and package.json, which pins what it asks with. There is no
lock file, as it would name a registry.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.foreign.judged import Judged

HERE = Path(__file__).parent
OLDEST_NODE = 20
INSTALL_SECONDS = 120.0
SUITE_SECONDS = 120.0
# Nothing may be run by a package's wish.
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def installed(name: str, config: pytest.Config) -> Path:
    """A folder with the packages of HERE/`name`, kept between runs; skips where they cannot be had."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node is {version.strip()}; its test runner is wanted as of version {OLDEST_NODE}")
    assert config.cache is not None
    folder: Path = config.cache.mkdir(f"judged-by-{name}")
    wanted, finished = (HERE / name / "package.json").read_text(), folder / "finished"
    if not finished.exists() or finished.read_text() != wanted:
        (folder / "package.json").write_text(wanted)
        try:
            done = subprocess.run(
                INSTALL, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm could not fetch the packages within {INSTALL_SECONDS:.0f} s")
        if done.returncode != 0:
            pytest.skip(f"npm could not install the packages (status {done.returncode})")
        finished.write_text(wanted)
    return folder


def passes(name: str, folder: Path, gateway: Judged) -> int:
    """How many of its tests have passed, which is all of them, or this fails."""
    script = shutil.copy(HERE / name / "judge.test.mjs", folder)
    ended = subprocess.run(
        ["node", "--test", "--test-reporter=tap", script],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "JUDGED_URL": gateway.base_url},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return int(ended.stdout.partition("\n# pass ")[2].partition("\n")[0])
