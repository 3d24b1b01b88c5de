from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from claudegwctl.problems import Problem
from claudegwctl.service.host import Host
from claudegwctl.service.running import Verb, chosen

HOST = Host("", 0, 501, "me", Path("/nowhere"), Path("/opt/bin"), ())

SYSTEMCTL = """\
#!/bin/sh
case "$*" in
    *--user*) [ -e "$0.user" ] && echo LoadState=loaded || echo LoadState=not-found ;;
    *) echo LoadState=loaded ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that knows the machine's unit, and the user's if a file beside it says so."""
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return program


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_under_systemd(systemctl: Path, verb: Verb) -> None:
    host = replace(HOST, manager="systemd")
    assert chosen(verb, host) == (["systemctl", verb, "claudegwd.service"], "claudegwd.service (system)")
    systemctl.with_name("systemctl.user").touch()
    assert chosen(verb, host)[0] == ["systemctl", "--user", verb, "claudegwd.service"]


def test_under_launchd(tmp_path: Path) -> None:
    host = replace(HOST, manager="launchd", home=tmp_path, root=tmp_path)
    with pytest.raises(Problem, match=r"^cannot stop the service: none is installed; "):
        chosen("stop", host)
    job = tmp_path / "Library/LaunchAgents/claudegwd.agent.plist"
    job.parent.mkdir(parents=True)
    job.touch()
    assert chosen("stop", host)[0] == ["launchctl", "bootout", "gui/501/claudegwd.agent"]
    assert chosen("start", host)[0] == ["launchctl", "bootstrap", "gui/501", str(job)]


def test_where_there_is_no_manager() -> None:
    with pytest.raises(Problem, match=r"run `claudegwd` in a terminal"):
        chosen("start", HOST)
