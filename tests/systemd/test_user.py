"""The same as a user's own service; and after a reboot both are there again."""

from collections.abc import Iterator

import pytest

from tests.systemd.laboratory import Lab, Service

USER, NUMBER, PORT = "kim", 4242, "8001"
CONTENT = "a very private question"
HOME = f"/home/{USER}/.config"
DEMO = "[Service]\nExecStart=\nExecStart=/usr/bin/claudegwd --demo\n"


@pytest.fixture
def own(lab: Lab) -> Iterator[Service]:
    """The packaged unit of a user who lingers, in demo mode on a port of its own; it is not running."""
    lab.run("sh", "-c", f"id {USER} 2>/dev/null || useradd -m -u {NUMBER} {USER}")
    lab.write(f"{HOME}/systemd/user/claudegwd.service.d/demo.conf", DEMO)
    service = Service(lab, USER, NUMBER)
    configure(service)
    lab.run("chown", "-R", f"{USER}:", f"/home/{USER}")
    lab.run("loginctl", "enable-linger", USER)
    service.until_its_manager_runs()
    service.control("daemon-reload")
    yield service
    service.control("disable", "--now", "claudegwd.service", check=False)
    service.control("reset-failed")
    lab.run("rm", "-rf", f"{HOME}/systemd/user/claudegwd.service.d")


def configure(own: Service, text: str = "") -> None:
    own.lab.write(f"{HOME}/claudegwd/config.toml", f'[server]\nbind = ["127.0.0.1:{PORT}"]\n{text}')


def test_it_answers_reloads_and_stops_as_the_machines_does(own: Service) -> None:
    own.control("enable", "--now", "claudegwd")
    assert own.lab.visit("ask", PORT, CONTENT)["status"] == 200
    assert own.show("StatusText").startswith("ready: ")

    configure(own, "[workers]\nmax = 3\n")
    own.control("reload", "claudegwd")
    assert "max = 3" in own.ctl("config", "show").stdout
    configure(own, "[workers]\nmost = 5\n")
    assert own.control("reload", "claudegwd", check=False).returncode == 1
    assert "max = 3" in own.ctl("config", "show").stdout

    [asked] = [record for record in own.journal() if record.get("CLAUDEGWD_ROUTE") == "/v1/chat/completions"]
    assert asked["CLAUDEGWD_STATUS"] == "200"
    assert CONTENT not in str(own.journal())

    group = own.show("ControlGroup")
    own.control("stop", "claudegwd")
    assert own.processes(group) == []
    assert own.control("start", "claudegwd", check=False).returncode != 0  # the configuration is still bad
    assert own.show("ExecMainStatus") == "78"
    assert own.show("NRestarts") == "0"


def test_it_comes_back_whatever_ends(own: Service) -> None:
    own.lab.write(f"{HOME}/systemd/user/claudegwd.service.d/watchdog.conf", "[Service]\nWatchdogSec=2\n")
    own.control("daemon-reload")
    own.control("start", "claudegwd")
    own.until(lambda: bool(own.workers()), "there is a spare")
    for worker in own.workers():
        own.lab.run("kill", "-KILL", str(worker), check=False)  # one that answers a probe may have ended
    assert own.lab.ask(PORT, "Hello?") == 200
    assert own.show("NRestarts") == "0"
    for signal in ("-KILL", "-STOP"):
        before = own.main_pid
        own.lab.run("kill", signal, str(before))
        own.until_started_anew(before)
        assert own.lab.ask(PORT, "Hello?") == 200


def test_the_doctor_says_that_it_ends_at_logout(own: Service) -> None:
    own.control("start", "claudegwd")
    try:
        own.lab.run("rm", f"/var/lib/systemd/linger/{USER}")  # as with disable-linger, but the service goes on for now
        assert f"sudo loginctl enable-linger {USER}" in own.ctl("doctor", check=False).stdout
    finally:
        own.lab.run("loginctl", "enable-linger", USER)
    assert "enable-linger" not in own.ctl("doctor", check=False).stdout


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
