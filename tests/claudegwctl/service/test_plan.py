import plistlib
from dataclasses import replace
from pathlib import Path

import pytest

from claudegwctl.problems import Problem
from claudegwctl.service import launchd, systemd
from claudegwctl.service.host import Host
from claudegwctl.service.plan import Outcome, go_through, install_steps, obstacle, uninstall_steps, wants_system
from claudegwctl.service.steps import PutFile, Remove

ROOT = Host("systemd", 257, 0, "root", Path("/root"), Path("/opt/gw/bin"), (Path("/usr/bin/python3"),))
USER = replace(ROOT, uid=1000, user="kim", home=Path("/home/kim"))


def test_a_user_whose_systemd_cannot_be_asked_is_told_before_anything_is_written() -> None:
    for installing in (True, False):
        said = obstacle(replace(USER, user_manager=False), system=False, installing=installing)
        assert said.startswith("cannot reach the systemd of user kim")
        assert "enable-linger kim" in said
        assert "/run/user/1000" in said
    assert obstacle(replace(ROOT, user_manager=False), system=True, installing=True) == ""


def written(host: Host, *, system: bool) -> dict[str, bytes]:
    return {str(step.path): step.data for step in install_steps(host, system=system) if isinstance(step, PutFile)}


def test_root_gets_the_service_of_the_machine_and_others_their_own() -> None:
    assert wants_system(ROOT, user=False, system=False)
    assert not wants_system(ROOT, user=True, system=False)
    assert not wants_system(USER, user=False, system=False)
    with pytest.raises(Problem, match=r"^cannot combine"):
        wants_system(ROOT, user=True, system=True)


def test_the_unit_calls_the_programs_where_they_lie() -> None:
    unit = systemd.unit(ROOT, "systemd/claudegwd.service").decode()
    assert "\nExecStart=/opt/gw/bin/claudegwd\n" in unit
    assert "\nExecReload=/opt/gw/bin/claudegwctl reload\n" in unit
    odd = systemd.unit(replace(ROOT, programs=Path('/opt/100% "mine"')), "systemd/claudegwd.service").decode()
    assert '\nExecStart="/opt/100%% \\"mine\\"/claudegwd"\n' in odd


def test_the_back_off_goes_only_where_it_is_known() -> None:
    place = "/etc/systemd/system/claudegwd.service.d/back-off.conf"
    assert place in written(ROOT, system=True)
    assert place not in written(replace(ROOT, systemd_version=252), system=True)


def test_a_user_writes_only_below_the_home() -> None:
    paths = written(USER, system=False)
    assert "/home/kim/.config/systemd/user/claudegwd.service" in paths
    assert all(path.startswith("/home/kim/") for path in paths)


def test_what_is_packaged_is_only_enabled_and_started(tmp_path: Path) -> None:
    unit = tmp_path / "usr/lib/systemd/system/claudegwd.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nExecStart={tmp_path}/bin/claudegwd\n")
    host = replace(ROOT, root=tmp_path, programs=tmp_path / "bin")
    assert written(host, system=True) == {}
    assert len(install_steps(host, system=True)) == 3
    assert written(replace(host, programs=Path("/opt/gw/bin")), system=True) != {}


def test_all_that_is_written_is_removed_again() -> None:
    for host, system in ((ROOT, True), (USER, False), (replace(USER, manager="launchd"), False)):
        removed = {str(step.path) for step in uninstall_steps(host, system=system) if isinstance(step, Remove)}
        assert removed >= set(written(host, system=system))


def test_a_dry_run_does_nothing(tmp_path: Path) -> None:
    steps = [PutFile(tmp_path / "claudegwd", b"# claudegwd\n")]
    assert [taken.outcome for taken in go_through(steps, dry=True)] == [Outcome.WOULD]
    assert list(tmp_path.iterdir()) == []
    assert [taken.outcome for taken in go_through(steps, dry=False)] == [Outcome.DONE]
    assert [taken.outcome for taken in go_through(steps, dry=False)] == [Outcome.IN_PLACE]


@pytest.mark.parametrize(
    ("host", "system", "word"),
    [
        (replace(ROOT, manager=""), True, "neither systemd nor launchd"),
        (USER, True, "without root"),
        (replace(ROOT, programs=Path("/home/kim/venv/bin")), True, "/home/kim/venv/bin/claudegwd"),
        (replace(ROOT, python=(Path("/root/.pyenv/bin/python3"),)), True, "/root/.pyenv/bin/python3"),
    ],
)
def test_what_stands_in_the_way_is_said(host: Host, system: bool, word: str) -> None:
    assert obstacle(host, system=system, installing=True).startswith("cannot ")
    assert word in obstacle(host, system=system, installing=True)


def test_nothing_stands_in_the_way_of_the_usual() -> None:
    assert obstacle(ROOT, system=True, installing=True) == ""
    assert obstacle(replace(USER, programs=Path("/home/kim/venv/bin")), system=False, installing=True) == ""


def test_an_agent_has_the_paths_of_its_user() -> None:
    job = plistlib.loads(launchd.job(replace(USER, home=Path("/Users/kim")), system=False))
    assert job["ProgramArguments"] == ["/opt/gw/bin/claudegwd"]
    assert job["StandardErrorPath"] == "/Users/kim/Library/Logs/claudegwd.log"
    assert job["EnvironmentVariables"]["PATH"].startswith("/Users/kim/.local/bin:")


def test_a_daemon_of_the_machine_has_its_user_made_first() -> None:
    steps = install_steps(replace(ROOT, manager="launchd"), system=True)
    does = [step.does for step in steps]
    assert does[0] == "create the group _claudegwd"
    assert does[-1] == "load and start it"
    assert "write /Library/LaunchDaemons/claudegwd.daemon.plist" in does
