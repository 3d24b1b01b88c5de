"""The environment of the foreign packages, and suites of tests that run in it.

They have pins and pytest plugins of their own, so they share nothing with ours but the gateway's address.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.foreign.judged import CLIENT_KEY, Judged

ROOT = Path(__file__).parents[2]
SUITES = Path(__file__).parent / "suites"
# Another place for the environment than tests/run gives it.
VARIABLE = "CLAUDEGWD_FOREIGN_PYTHON"
# Half a minute alone on two cores; other people's tests may run beside it.
SUITE_SECONDS = 300.0


@dataclass(frozen=True)
class Outcome:
    """What became of a suite: test name to the word why it was skipped or has failed."""

    passed: frozenset[str]
    skipped: Mapping[str, str]
    failed: Mapping[str, str]
    output: str


def foreign_python() -> Path:
    """The environment's interpreter; skips the test where there is none."""
    python = Path(os.environ.get(VARIABLE) or ROOT / ".venv-foreign/bin/python")
    if not python.exists():
        pytest.skip("the foreign packages are not installed: `tests/run --prepare` does it where it can fetch them")
    return python


def run_suite(name: str, gateway: Judged, scratch: Path) -> Outcome:
    """Run suites/NAME.py against the gateway."""
    report = scratch / "report.xml"
    command: list[str | Path] = [
        foreign_python(),
        "-m",
        "pytest",
        "-q",
        "-c",
        SUITES / "pytest.ini",
        "--rootdir",
        SUITES,
    ]
    # Nothing of the tests' own environment: a developer's OPENAI_* or LANGSMITH_* would go along.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "JUDGED_URL": gateway.base_url,
        "OPENAI_API_KEY": CLIENT_KEY,
    }
    ended = subprocess.run(
        [*command, f"--junit-xml={report}", SUITES / f"{name}.py"],
        env=environment,
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    return outcome_of(report, output)


def outcome_of(report: Path, output: str) -> Outcome:
    """What a report in JUnit's form says."""
    passed: set[str] = set()
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):  # our own pytest wrote it
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        if (found := case.find("skipped")) is not None:
            skipped[name] = found.get("message") or ""
        elif broken := case.findall("failure") + case.findall(
            "error"
        ):  # an element without children is false by itself
            failed[name] = broken[0].get("message") or ""
        else:
            passed.add(name)
    return Outcome(frozenset(passed), skipped, failed, output)
