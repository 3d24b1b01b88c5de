"""The same as a user's own service; and after a reboot both are there again."""

from collections.abc import Iterator

import pytest

from tests.systemd.laboratory import Lab, Service

USER, NUMBER, PORT = "kim", 4242, "8001"
HOME = f"/home/{USER}/.config"
DEMO = "[Service]\nExecStart=\nExecStart=/usr/bin/claudegwd --demo\n"


@pytest.fixture
def own(lab: Lab) -> Iterator[Service]:
    """The packaged unit of a user who lingers, in demo mode on a port of its own; it is not running."""
    lab.run("sh", "-c", f"id {USER} 2>/dev/null || useradd -m -u {NUMBER} {USER}")
    lab.write(f"{HOME}/systemd/user/claudegwd.service.d/demo.conf", DEMO)
    lab.write(f"{HOME}/claudegwd/config.toml", f'[server]\nbind = ["127.0.0.1:{PORT}"]\n')
    lab.run("chown", "-R", f"{USER}:", f"/home/{USER}")
    lab.run("loginctl", "enable-linger", USER)
    service = Service(lab, USER, NUMBER)
    service.until_its_manager_runs()
    service.control("daemon-reload")
    yield service
    service.control("disable", "--now", "claudegwd.service", check=False)


def test_it_runs_reloads_comes_back_and_stops_as_the_machines_does(own: Service) -> None:
    own.control("enable", "--now", "claudegwd")
    assert own.lab.visit("ask", PORT, "Hello!")["status"] == 200
    assert own.show("StatusText").startswith("ready: ")

    own.lab.write(f"{HOME}/claudegwd/config.toml", f'[server]\nbind = ["127.0.0.1:{PORT}"]\n[workers]\nmax = 3\n')
    own.control("reload", "claudegwd")
    assert "max = 3" in own.ctl("config", "show").stdout
    own.lab.write(f"{HOME}/claudegwd/config.toml", "[workers]\nmost = 5\n")
    assert own.control("reload", "claudegwd", check=False).returncode == 1
    assert "max = 3" in own.ctl("config", "show").stdout
    own.lab.write(f"{HOME}/claudegwd/config.toml", f'[server]\nbind = ["127.0.0.1:{PORT}"]\n')

    before = own.main_pid
    own.lab.run("kill", "-KILL", str(before))
    assert own.lab.ask(PORT, "Hello?") == 200
    assert own.main_pid != before

    group = own.show("ControlGroup")
    own.control("stop", "claudegwd")
    assert own.processes(group) == []


def test_an_answer_that_is_streaming_ends_over_a_restart(own: Service) -> None:
    own.control("start", "claudegwd")
    with own.lab.visiting("stream", PORT, "Hello!") as visitor:
        assert visitor.stdout is not None
        assert visitor.stdout.readline() == '"begun"\n'
        own.control("restart", "claudegwd")
        assert '"finish_reason": "stop"' in visitor.stdout.readline()


def test_both_are_there_again_after_a_reboot(demo: Service, own: Service) -> None:
    demo.control("enable", "claudegwd")
    own.control("enable", "--now", "claudegwd")
    demo.lab.reboot()
    assert demo.show("ActiveState") == "active"
    assert demo.lab.ask("8000", "Hello?") == 200
    own.until(lambda: own.show("ActiveState") == "active", "the user's service has started with the machine")
    assert own.lab.ask(PORT, "Hello?") == 200
