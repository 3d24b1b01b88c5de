"""Workspaces under the packaged unit: what the drop-in grants, and that the rest stays as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.systemd.laboratory import Lab, Service

PORT = "9317"
KEYS = json.dumps({"claude_api_keys": [{"name": "k", "token": "sk-false-1", "base_url": f"http://127.0.0.1:{PORT}"}]})
DROP_IN = "/etc/systemd/system/claudegwd.service.d/workspaces.conf"
TRIED = """
import os
def tried(name, do):
    try: print(name, do())
    except OSError as error: print(name, "refused")
tried("write", lambda: open("made", "w").write("x"))
for path in ("/etc/claudegwd/keys.json", "/var/lib/claudegwd/state.db", "/etc/shadow", "/home/pat/private"):
    tried(path, lambda: open(path).read())
tried("outside", lambda: open("/srv/other", "w"))
seen = [open(f"/proc/{each}/cmdline").read() for each in os.listdir("/proc") if each.isdigit()]
print("others", "seen" if any("claudegwd/bin" in each for each in seen) else "refused")
"""


def asked(service: Service, port: str = "8000") -> tuple[int, str]:
    """The status of an answer in the workspace, and its text."""
    body = {"model": "sonnet@shop", "messages": [{"role": "user", "content": "Go."}]}
    command = ("curl", "-s", "-w", "\n%{http_code}", "-H", "content-type: application/json", "-d", json.dumps(body))
    text, _, status = service.lab.said(*command, f"http://127.0.0.1:{port}/v1/chat/completions").rpartition("\n")
    return int(status), text


@contextmanager
def model(lab: Lab) -> Iterator[None]:
    """The upstream: a model that runs try.py."""
    command = ("/usr/lib/claudegwd/bin/python3", "/opt/tests/tests/systemd/model.py", PORT, "python3 try.py")
    lab.run("systemd-run", "--unit=model", *command)
    try:
        yield
    finally:
        lab.run("systemctl", "stop", "model")


@pytest.mark.parametrize("directory", ["/srv/shop", "/home/pat/shop"])
def test_the_drop_in_grants_a_directory_and_nothing_else(service: Service, directory: str) -> None:
    lab = service.lab
    lab.run("sh", "-c", "id pat 2>/dev/null || useradd -m pat; chmod 755 /home/pat; echo secret >/home/pat/private")
    lab.run("sh", "-c", f"mkdir -p {directory} && chown claudegwd {directory} && rm -f {directory}/made")
    lab.write(f"{directory}/try.py", TRIED)
    lab.write("/etc/claudegwd/keys.json", KEYS, "600")
    lab.run("chown", "claudegwd:", "/etc/claudegwd/keys.json")
    with model(lab):
        service.control("start", "claudegwd")
        words = ("--tools", "Bash,Edit", "--allow", "Bash(python3 *)", "--anonymous", "--sandbox", "required")
        added = service.ctl("workspaces", "add", "shop", directory, *words).stdout
        assert f"wrote {DROP_IN}" in added
        assert added.count(directory) == 1, "it is explained"
        assert asked(service)[0] in (404, 500), "not before the restart"
        assert "files are not confined" not in service.ctl("status", "--json").stdout, "not even without the drop-in"
        service.control("daemon-reload")
        service.control("restart", "claudegwd")
        [row] = json.loads(service.ctl("workspaces", "list", "--json").stdout)["workspaces"]
        assert (row["sandbox_effective"], row["problem"]) == ("full", "")
        status, text = asked(service)
        assert status == 200
        content = json.loads(text)["choices"][0]["message"]["content"]
        assert [line.rpartition(" ")[2] for line in content.splitlines()] == ["1", *["refused"] * 6]
        assert lab.said("cat", f"{directory}/made") == "x"
        assert lab.run("test", "-e", "/srv/other", check=False).returncode == 1
        assert f"removed {DROP_IN}" in service.ctl("workspaces", "remove", "shop").stdout
        assert lab.run("test", "-e", DROP_IN, check=False).returncode == 1


def test_a_users_own_unit_has_the_sandbox_too(lab: Lab) -> None:
    user, number, home = "max", 4343, "/home/max"
    lab.run("sh", "-c", f"id {user} 2>/dev/null || useradd -m -u {number} {user}")
    lab.write(f"{home}/.config/claudegwd/config.toml", '[server]\nbind = ["127.0.0.1:8002"]\n')
    lab.write(f"{home}/.config/claudegwd/keys.json", KEYS, "600")
    lab.write(f"{home}/shop/try.py", TRIED)
    lab.run("chown", "-R", f"{user}:", home)
    lab.run("loginctl", "enable-linger", user)
    service = Service(lab, user, number)
    service.until_its_manager_runs()
    try:
        with model(lab):
            service.control("start", "claudegwd")
            words = ("--tools", "Bash,Edit", "--allow", "Bash(python3 *)", "--anonymous", "--sandbox", "required")
            added = service.ctl("workspaces", "add", "shop", f"{home}/shop", *words).stdout
            assert f"wrote {home}/.config/systemd/user/claudegwd.service.d/workspaces.conf" in added
            assert "files are not confined" not in service.ctl("status", "--json").stdout
            service.control("daemon-reload")
            service.control("restart", "claudegwd")
            [row] = json.loads(service.ctl("workspaces", "list", "--json").stdout)["workspaces"]
            assert (row["sandbox_effective"], row["problem"]) == ("full", "")
            status, text = asked(service, "8002")
            # The lab has something mounted over parts of /proc, so it shows the processes of others.
            assert (status, text.count(" refused"), text.count("others seen")) == (200, 5, 1)
            service.ctl("workspaces", "remove", "shop")
    finally:
        service.control("stop", "claudegwd", check=False)
