"""docs/operations.md and `claudegwctl install`, from a clone under /opt on a machine without the package."""

import json
from collections.abc import Iterator

import pytest

from tests.systemd.laboratory import Lab, Service, laboratory
from tests.systemd.newcomer import CLONE, FETCHED, SITE_PACKAGES, bring_clone, commands, follow

CTL = f"{CLONE}/.venv/bin/claudegwctl"
PAGE = "As a system service"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab in which a newcomer has come as far as `claudegwctl install`, exclusive."""
    with laboratory(tmp_path_factory.mktemp("bare"), {SITE_PACKAGES: FETCHED}) as lab:
        bring_clone(lab)
        for line in commands(PAGE):
            if "claudegwctl" not in line:
                follow(lab, line)
        yield lab


def outcomes(lab: Lab, *words: str) -> set[str]:
    return {step["outcome"] for step in json.loads(lab.said(CTL, *words, "--json"))["steps"]}


def test_a_newcomer_gets_a_service_and_takes_it_back(bare: Lab) -> None:
    service = Service(bare)
    dry, install = (line for line in commands(PAGE) if "claudegwctl" in line)
    assert "undo: systemctl disable claudegwd.service" in follow(bare, dry)
    assert service.show("LoadState") == "not-found"

    follow(bare, install)
    assert service.show("UnitFileState") == "enabled"
    assert service.show("ActiveState") == "active"
    assert "keys add" in bare.said("curl", "-s", "http://127.0.0.1:8000/readyz")
    verified = bare.run("systemd-analyze", "verify", "claudegwd.service")
    assert verified.stdout + verified.stderr == ""

    add, _ask, doctor = commands(PAGE, 1)
    bare.run("sh", "-ec", add, given="sk-false-newcomer-0001\n")  # found on PATH, and the socket is where it looks
    found = bare.run("sh", "-c", doctor, check=False).stdout.splitlines()
    assert any("1 of 1 usable: work" in line for line in found)
    problems = [line for line in found if line.startswith("PROBLEM")]
    assert problems == [
        "PROBLEM upstream      api.anthropic.com cannot be reached (work): name not resolved"
    ]  # no network
    assert bare.said("curl", "-s", "http://127.0.0.1:8000/readyz") == "ok"

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
    bare.run(CTL, "uninstall")
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
    assert bare.said("curl", "-s", "http://127.0.0.1:8000/livez") == "ok"
    assert bare.said("find", "/home/ida", "-user", "root") == ""
    bare.run(*own, "uninstall")
    assert service.show("LoadState") == "not-found"


def test_where_the_service_would_not_see_the_program_it_says_so(bare: Lab) -> None:
    bare.run(CTL, "uninstall")
    bare.run("cp", "-r", f"{CLONE}/.venv", "/root/venv")
    bare.run("sed", "-i", f"1s#{CLONE}/.venv#/root/venv#", "/root/venv/bin/claudegwctl")
    refused = bare.run("/root/venv/bin/claudegwctl", "install", check=False)
    assert refused.returncode == 1
    assert "the service cannot see /root/venv" in refused.stderr
    assert Service(bare).show("LoadState") == "not-found"
