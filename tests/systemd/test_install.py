"""`claudegwctl install` on a machine without the package: the programs lie in a virtual environment under /opt."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_binary import find_cli
from tests.systemd.laboratory import Lab, Service, laboratory

OWN = "/opt/gateway"
CTL = f"{OWN}/bin/claudegwctl"


@pytest.fixture
def bare(package: Path, tmp_path: Path) -> Iterator[Lab]:
    """A lab without the package, but with its environment as pip would have made it under /opt."""
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "out"], check=True)
    own = tmp_path / "out/usr/lib/claudegwd"
    for name in ("claudegwd", "claudegwctl"):
        program = own / "bin" / name
        program.write_text(program.read_text().replace("/usr/lib/claudegwd", OWN))
    with laboratory(tmp_path / "lab", {own: OWN, find_cli().parent: "/opt/claude"}) as lab:
        lab.run("ln", "-sf", "/opt/claude/claude", "/usr/local/bin/claude")
        yield lab


def outcomes(lab: Lab, *words: str) -> set[str]:
    return {step["outcome"] for step in json.loads(lab.said(CTL, *words, "--json"))["steps"]}


def test_it_installs_once_and_takes_it_back(bare: Lab) -> None:
    service = Service(bare)
    assert "would" in outcomes(bare, "install", "--dry-run")
    assert service.show("LoadState") == "not-found"

    said = bare.said(CTL, "install")
    assert "undo: systemctl disable claudegwd.service" in said
    assert service.show("UnitFileState") == "enabled"
    assert bare.said("curl", "-s", "http://127.0.0.1:8000/readyz") == "ok"
    assert service.ctl("status").returncode == 0  # found on PATH, and the socket is where it looks
    verified = bare.run("systemd-analyze", "verify", "claudegwd.service")
    assert verified.stdout + verified.stderr == ""

    before = service.main_pid
    assert outcomes(bare, "install") == {"in place"}
    assert service.main_pid == before

    bare.write("/etc/systemd/system/other.service", "[Service]\nExecStart=/bin/true\n")
    bare.run(CTL, "uninstall")
    assert service.show("LoadState") == "not-found"
    assert bare.said("systemctl", "show", "-p", "LoadState", "--value", "other.service") == "loaded"
    assert bare.run("curl", "-s", "http://127.0.0.1:8000/readyz", check=False).returncode != 0
    left = bare.said("find", "/etc", "/usr/local", "-name", "*claudegw*").splitlines()
    assert left == ["/etc/claudegwd"]  # for configuration and keys
    assert bare.said("id", "-un", "claudegwd") == "claudegwd"
    assert outcomes(bare, "uninstall") == {"in place"}


def test_a_user_installs_without_root(bare: Lab) -> None:
    bare.run("useradd", "-m", "-u", "4343", "ida")
    bare.run("loginctl", "enable-linger", "ida")
    service = Service(bare, "ida", 4343)
    service.until_its_manager_runs()
    own = ("runuser", "-u", "ida", "--", "env", "HOME=/home/ida", "XDG_RUNTIME_DIR=/run/user/4343", CTL)
    refused = bare.run(*own, "install", "--system", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("cannot ")
    bare.run(*own, "install")
    assert service.show("UnitFileState") == "enabled"
    assert bare.said("curl", "-s", "http://127.0.0.1:8000/readyz") == "ok"
    assert bare.said("find", "/home/ida", "-user", "root") == ""
    bare.run(*own, "uninstall")
    assert service.show("LoadState") == "not-found"


def test_where_the_service_would_not_see_the_program_it_says_so(bare: Lab) -> None:
    bare.run("cp", "-r", OWN, "/root/gateway")
    bare.run("sed", "-i", f"1s#{OWN}#/root/gateway#", "/root/gateway/bin/claudegwctl", "/root/gateway/bin/claudegwd")
    refused = bare.run("/root/gateway/bin/claudegwctl", "install", check=False)
    assert refused.returncode == 1
    assert "the service does not see /root/gateway" in refused.stderr
    assert Service(bare).show("LoadState") == "not-found"
