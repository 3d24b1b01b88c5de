"""Workspaces under the packaged unit: what the drop-in grants, and that the rest stays as it was."""

from __future__ import annotations

import json

import pytest

from tests.systemd.laboratory import Service

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
"""


def asked(service: Service) -> tuple[int, str]:
    """The status of an answer in the workspace, and its text."""
    body = {"model": "sonnet@shop", "messages": [{"role": "user", "content": "Go."}]}
    command = ("curl", "-s", "-w", "\n%{http_code}", "-H", "content-type: application/json", "-d", json.dumps(body))
    text, _, status = service.lab.said(*command, "http://127.0.0.1:8000/v1/chat/completions").rpartition("\n")
    return int(status), text


@pytest.mark.parametrize("directory", ["/srv/shop", "/home/pat/shop"])
def test_the_drop_in_grants_a_directory_and_nothing_else(service: Service, directory: str) -> None:
    lab = service.lab
    lab.run("sh", "-c", "id pat 2>/dev/null || useradd -m pat; chmod 755 /home/pat; echo secret >/home/pat/private")
    lab.run("sh", "-c", f"mkdir -p {directory} && chown claudegwd {directory} && rm -f {directory}/made")
    lab.write(f"{directory}/try.py", TRIED)
    lab.write("/etc/claudegwd/keys.json", KEYS, "600")
    lab.run("chown", "claudegwd:", "/etc/claudegwd/keys.json")
    lab.run("systemd-run", "--unit=model", "/usr/lib/claudegwd/bin/python3", "/opt/tests/tests/systemd/model.py", PORT,
            "python3 try.py")  # fmt: skip
    try:
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
        assert [line.rpartition(" ")[2] for line in content.splitlines()] == ["1", *["refused"] * 5]
        assert lab.said("cat", f"{directory}/made") == "x"
        assert lab.run("test", "-e", "/srv/other", check=False).returncode == 1
        assert f"removed {DROP_IN}" in service.ctl("workspaces", "remove", "shop").stdout
        assert lab.run("test", "-e", DROP_IN, check=False).returncode == 1
    finally:
        service.control("stop", "model", check=False)
