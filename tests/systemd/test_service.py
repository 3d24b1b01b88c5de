"""What the service manager is promised, and what it does for us."""

import pytest

from tests.systemd.conftest import DROP_IN, SOCKET_DROP_IN, DemoWith
from tests.systemd.laboratory import Service

KEY = "sk-false-in-the-lab-0001"
CONTENT = "a very private question"
# The token is refused by an upstream that is not there; the gateway has its keys and its log all the same.
KEYS = f'{{"claude_api_keys": [{{"name": "nowhere", "token": "{KEY}", "base_url": "http://127.0.0.1:9"}}]}}'
CONFIG = "/etc/claudegwd/config.toml"


def test_it_is_enabled_and_answers_the_official_client(service: Service, demo: Service) -> None:
    service.control("enable", "--now", "claudegwd")
    assert service.show("UnitFileState") == "enabled"
    # `start` has returned, so it is ready, and the very first request is answered.
    assert "demo" in service.lab.visit("ask", "8000", "Hello!")["text"]
    assert service.show("StatusText").startswith("ready: ")
    assert service.ctl("status").returncode == 0


def test_it_is_not_ready_while_no_cli_starts(service: Service) -> None:
    service.lab.write("/usr/local/lib/hanging-claude", "#!/bin/sh\nexec tail -f /dev/null\n", "755")
    service.lab.write(CONFIG, '[claude]\nbinary = "/usr/local/lib/hanging-claude"\n')
    service.lab.write(f"{DROP_IN}/short.conf", "[Service]\nTimeoutStartSec=3\nRestart=no\n")
    service.control("daemon-reload")
    assert service.control("start", "claudegwd", check=False).returncode != 0
    assert service.show("Result") == "timeout"
    assert service.show("StatusText") == ""


def test_a_reload_is_done_when_it_returns_and_fails_when_it_is_refused(demo: Service) -> None:
    demo.lab.write(CONFIG, "[workers]\nmax = 3\n")
    demo.control("reload", "claudegwd")
    assert "max = 3" in demo.ctl("config", "show").stdout
    demo.lab.write(CONFIG, "[workers]\nmost = 5\n")
    before = demo.main_pid
    assert demo.control("reload", "claudegwd", check=False).returncode == 1
    assert demo.show("ActiveState") == "active"
    assert demo.main_pid == before
    assert "max = 3" in demo.ctl("config", "show").stdout
    assert demo.lab.ask("8000", "Still there?") == 200


def test_killed_it_comes_back_and_nobody_is_refused(demo: Service) -> None:
    before = demo.main_pid
    demo.lab.run("kill", "-KILL", str(before))
    # At once: the manager keeps the listener, and the next daemon answers.
    assert demo.lab.ask("8000", "Hello?") == 200
    assert demo.main_pid != before
    assert demo.show("NRestarts") == "1"


def test_a_killed_worker_is_replaced(demo: Service) -> None:
    demo.until(lambda: bool(demo.workers()), "there is a spare")
    for worker in demo.workers():
        demo.lab.run("kill", "-KILL", str(worker))
    assert demo.lab.ask("8000", "Hello?") == 200
    assert demo.show("NRestarts") == "0"


def test_an_event_loop_that_stands_still_is_ended_by_the_watchdog(demo_with: DemoWith) -> None:
    service = demo_with("WatchdogSec=2")
    told = "/var/lib/claudegwd/told"
    service.lab.write(CONFIG, f'[notify]\ncommand = ["/bin/sh", "-c", "cat >> {told}"]\n')
    service.control("restart", "claudegwd")
    before = service.main_pid
    service.lab.run("kill", "-STOP", str(before))
    service.until_started_anew(before)
    service.until(lambda: "watchdog_restart" in service.lab.run("cat", told, check=False).stdout, "somebody is told")
    service.control("restart", "claudegwd")
    assert service.lab.said("cat", told).count("\n") == 0, "once, and not of a restart that was asked for"
    assert any("Watchdog timeout" in record["MESSAGE"] for record in service.journal("-n", "40"))
    assert service.lab.ask("8000", "Hello?") == 200


def test_the_cli_answers_where_no_written_page_may_run(demo_with: DemoWith) -> None:
    """docs/operations.md offers it; the unit says why it is not the default."""
    service = demo_with("MemoryDenyWriteExecute=yes")
    assert "demo" in service.lab.visit("ask", "8000", "Hello!")["text"]
    assert service.show("MemoryDenyWriteExecute") == "yes"


def test_the_optional_socket_opens_a_low_port_and_starts_the_daemon(demo_with: DemoWith) -> None:
    service = demo_with(start=False)
    service.lab.write(f"{SOCKET_DROP_IN}/port.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:80\n")
    service.control("daemon-reload")
    service.control("start", "claudegwd.socket")
    try:
        assert service.show("ActiveState") == "inactive"
        assert service.lab.ask("80", "Hello?") == 200
        assert service.show("ActiveState") == "active"
        assert service.ctl("status").returncode == 0
    finally:
        service.control("stop", "claudegwd.socket", "claudegwd.service")
    assert service.processes() == []


def test_a_bad_configuration_is_tried_once(service: Service) -> None:
    service.lab.write(CONFIG, '[server]\nbind = ["not an address"]\n')
    assert service.control("start", "claudegwd", check=False).returncode != 0
    assert service.show("ExecMainStatus") == "78"
    assert service.show("ActiveState") == "failed"
    assert service.show("NRestarts") == "0"
    assert any(CONFIG in record["MESSAGE"] and "bind" in record["MESSAGE"] for record in service.journal("-n", "9"))


def test_stopped_it_leaves_nothing(demo: Service) -> None:
    assert demo.lab.ask("8000", "Hello!") == 200
    group = demo.show("ControlGroup")
    assert len(demo.processes()) > 1
    demo.control("stop", "claudegwd")
    assert demo.processes(group) == []
    assert demo.show("Result") == "success"
    assert demo.lab.run("pgrep", "-u", "claudegwd", check=False).stdout == ""
    refused = 7  # curl's word for it
    assert demo.lab.run("curl", "-s", "http://127.0.0.1:8000/livez", check=False).returncode == refused
    assert demo.lab.run("test", "-e", "/run/claudegwd/control.sock", check=False).returncode == 1


def test_a_member_of_the_group_may_control_it_and_others_may_not(demo: Service) -> None:
    demo.lab.run("sh", "-c", "id pat 2>/dev/null || useradd -m pat; id lou 2>/dev/null || useradd -mG claudegwd lou")
    assert demo.lab.run("runuser", "-u", "lou", "--", "claudegwctl", "status").returncode == 0
    refused = demo.lab.run("runuser", "-u", "pat", "--", "claudegwctl", "status", check=False)
    assert refused.returncode == 1
    assert "claudegwd" in refused.stderr
    by_whom = demo.lab.said("id", "-u", "lou")
    demo.lab.run("runuser", "-u", "lou", "--", "claudegwctl", "reload")
    assert any(record.get("CLAUDEGWD_UID") == by_whom for record in demo.journal("-n", "9"))
    advice = demo.lab.run("runuser", "-u", "pat", "--", "claudegwctl", "doctor", check=False)
    assert "sudo usermod -aG claudegwd" in advice.stdout


def test_a_version_of_the_cli_that_root_fetched_is_used(demo: Service) -> None:
    there = "/var/lib/claudegwd/cli/2.1.998"
    demo.lab.run("sh", "-c", f"mkdir {there} && cp /usr/local/bin/claude {there}/claude")
    digest = demo.lab.said("sha256sum", f"{there}/claude").split()[0]
    demo.lab.write(f"{there}/record.json", f'{{"release": "0.2.1", "sha256": "{digest}", "problems": []}}')
    demo.ctl("cli", "use", "2.1.998")
    assert f"({there}/claude)" in demo.ctl("status").stdout
    assert demo.lab.ask("8000", "Hello?") == 200
    # What the service can start it cannot write.
    refused = demo.lab.run("nsenter", "-t", str(demo.main_pid), "-m", "touch", f"{there}/new", check=False)
    assert "Read-only file system" in refused.stderr
    demo.ctl("cli", "rollback")


@pytest.mark.parametrize("place", ["/etc/credstore/claudegwd.keys.json", "/etc/claudegwd/keys.json"])
def test_keys_are_taken_as_a_credential_or_from_the_file(service: Service, place: str) -> None:
    service.lab.write(place, KEYS, "600")
    service.lab.run("sh", "-c", f"case {place} in /etc/claudegwd/*) chown claudegwd:claudegwd {place};; esac")
    service.control("start", "claudegwd")
    assert "nowhere" in service.ctl("keys", "list").stdout
    if "credstore" in place:
        service.lab.run("touch", place)  # systemd hands it over only at the next start
        assert "`systemctl restart claudegwd`" in service.ctl("doctor", check=False).stdout


def test_a_key_can_be_added_to_the_file(service: Service) -> None:
    service.control("start", "claudegwd")
    service.lab.run("claudegwctl", "keys", "add", "second", given=KEY + "\n")
    assert service.lab.said("stat", "-c", "%U %a", "/etc/claudegwd/keys.json") == "claudegwd 600"
    assert "second" in service.ctl("keys", "list").stdout


def test_the_journal_has_fields_once_and_nothing_secret(service: Service) -> None:
    service.lab.write("/etc/credstore/claudegwd.keys.json", KEYS, "600")
    service.lab.write(CONFIG, '[log]\nlevel = "debug"\n[limits]\nrequest_seconds = 1\n')
    service.control("start", "claudegwd")
    status = service.lab.ask("8000", CONTENT)
    assert status >= 500
    records = service.journal("_SYSTEMD_INVOCATION_ID=" + service.show("InvocationID"))
    [asked] = [record for record in records if record.get("CLAUDEGWD_ROUTE") == "/v1/chat/completions"]
    assert asked["CLAUDEGWD_REQUEST_ID"].startswith("req_")
    assert asked["CLAUDEGWD_STATUS"] == str(status)
    assert any(record.get("CLAUDEGWD_KEY") == "nowhere" for record in records)
    assert {"4", "6"} <= {record["PRIORITY"] for record in records}
    assert {record["_TRANSPORT"] for record in records if record["SYSLOG_IDENTIFIER"] == "claudegwd"} == {"journal"}
    everything = str(records)
    assert KEY not in everything
    assert CONTENT not in everything
