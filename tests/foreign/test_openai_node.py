"""Judge: the official Node client: its accumulator, its tool runner, its helpers for zod.

node/judge.test.mjs asks; node/package.json pins what it asks with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.foreign.judged import Judged

pytestmark = pytest.mark.cli

CONFIG = """
"""
NODE = Path(__file__).parent / "node"
OLDEST_NODE = 20
INSTALL_SECONDS = 120.0
SUITE_SECONDS = 120.0
# Its own dependencies are none, and nothing may be run by a package's wish.
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    """A folder with the packages, kept between runs by pytest's cache; skips where they cannot be had."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node is {version.strip()}; its test runner is wanted as of version {OLDEST_NODE}")
    assert request.config.cache is not None
    folder: Path = request.config.cache.mkdir("openai-node")
    wanted, finished = (NODE / "package.json").read_text(), folder / "finished"
    if not finished.exists() or finished.read_text() != wanted:
        (folder / "package.json").write_text(wanted)
        try:
            done = subprocess.run(
                INSTALL, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm could not fetch the client within {INSTALL_SECONDS:.0f} s")
        if done.returncode != 0:
            pytest.skip(f"npm could not install the client (status {done.returncode})")
        finished.write_text(wanted)
    return folder


def test_the_node_client_reads_every_answer(gateway: Judged, installed: Path) -> None:
    script = shutil.copy(NODE / "judge.test.mjs", installed)
    ended = subprocess.run(
        ["node", "--test", "--test-reporter=tap", script],
        env={"PATH": os.environ["PATH"], "HOME": str(installed), "JUDGED_URL": gateway.base_url},
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "# pass 13\n" in ended.stdout, ended.stdout
