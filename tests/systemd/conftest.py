from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli_binary import find_cli
from tests.systemd.laboratory import ROOT, Lab, Service, laboratory, why_not

DEMO = "[Service]\nExecStart=\nExecStart=/usr/bin/claudegwd --demo\n"
DROP_IN = "/etc/systemd/system/claudegwd.service.d"
SOCKET_DROP_IN = "/etc/systemd/system/claudegwd.socket.d"
PACKAGE = "/opt/package"
FAKE = """#!/bin/sh
exec env FAKE_CLI_DELTAS=4 FAKE_CLI_GAP=25 /usr/bin/python3 -S -E /opt/tests/tests/fake_cli.py "$@"
"""
FAST = """
[claude]
binary = "/usr/local/lib/fake-claude"
[limits]
requests_per_minute = 0
"""


@cache
def obstacle() -> str:
    if not shutil.which("dpkg-deb") or not Path("/usr/bin/python3").exists():
        return "not Debian: the package cannot be built"
    minor = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=True).stdout.split(".")[1]
    if int(minor) != sys.version_info.minor:
        # The packages in the environment of the tests are put into the Debian package, and into the newcomer's.
        return f"the tests run on Python 3.{sys.version_info.minor}, the system's is 3.{minor}"
    return why_not()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this directory bear the mark, and say so where there can be no lab."""
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.systemd)
        if obstacle():
            item.add_marker(pytest.mark.skipif(True, reason=f"cannot boot a systemd here: {obstacle()}"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package, without the CLI: its size would make building it the longest test."""
    directory = tmp_path_factory.mktemp("package")
    command = [ROOT / "packaging" / "build-deb", "--without-cli", "--as-installed", "--compression", "none"]
    env = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "HOME": str(directory)}
    done = subprocess.run([*command, "--output", directory], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def lab(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the package installed, and the CLI where an administrator would put it."""
    binds = {find_cli().parent: "/opt/claude", package.parent: PACKAGE, ROOT / "tests": "/opt/tests/tests"}
    with laboratory(tmp_path_factory.mktemp("lab"), binds) as lab:
        lab.run("ln", "-sf", "/opt/claude/claude", "/usr/local/bin/claude")
        lab.run("dpkg", "-i", f"{PACKAGE}/{package.name}")
        yield lab


@pytest.fixture
def service(lab: Lab) -> Service:
    """The packaged unit as a new machine has it: not running, not enabled, configured by nobody."""
    service = Service(lab)
    service.control("disable", "--now", "claudegwd.service", check=False)
    lab.run("sh", "-c", f"rm -rf {DROP_IN} {SOCKET_DROP_IN} /etc/claudegwd/* /var/lib/claudegwd/* /etc/credstore/*")
    service.control("daemon-reload")
    service.control("reset-failed")
    return service


class DemoWith(Protocol):
    """The unit in demo mode, with settings of its own, by default started."""

    def __call__(self, *settings: str, start: bool = True) -> Service: ...


@pytest.fixture
def demo_with(service: Service) -> DemoWith:
    def with_settings(*settings: str, start: bool = True) -> Service:
        service.lab.write(f"{DROP_IN}/demo.conf", DEMO + "".join(f"{line}\n" for line in settings))
        service.control("daemon-reload")
        if start:
            service.control("start", "claudegwd")
        return service

    return with_settings


@pytest.fixture
def demo(demo_with: DemoWith) -> Service:
    """The same, running in demo mode: the real CLI answers."""
    return demo_with()


@pytest.fixture
def fake(service: Service) -> Service:
    """The same, with a CLI that answers in a tenth of a second: for what takes many answers."""
    service.lab.write("/usr/local/lib/fake-claude", FAKE, "755")
    service.lab.write("/etc/claudegwd/config.toml", FAST)
    service.lab.write("/etc/claudegwd/environment", "ANTHROPIC_API_KEY=sk-false-1\n", "600")
    service.control("start", "claudegwd")
    return service
