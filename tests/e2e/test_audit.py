"""Who changed what: the real daemon, its state file, and the command that shows it."""

from __future__ import annotations

import os
import pwd

import pytest

from claudegwd.demo.replies import echo
from tests.control_cli import ctl
from tests.e2e.harness import running

pytestmark = pytest.mark.cli

KEYS = ({"name": "work", "token": "sk-false-1"}, {"name": "home", "token": "sk-false-2"})


async def test_who_disabled_the_key_and_what_it_was_before() -> None:
    async with running(echo(), keys=KEYS) as gateway:
        socket = gateway.daemon.socket
        for words in (("keys", "disable", "work"), ("clients", "create", "laptop", "--budget", "20usd/month")):
            assert (await ctl(socket, *words)).status == 0
        assert (await ctl(socket, "clients", "set", "laptop", "--budget", "5usd/month")).status == 0
        assert (await ctl(socket, "keys", "disable", "absent")).status == 1

        async def changes() -> list[dict[str, object]]:
            found: list[dict[str, object]] = (await ctl(socket, "audit", "--json")).json["changes"]
            return found

        made = await changes()
        assert [(change["what"], change["fields"]) for change in made] == [
            ("key status changed", {"key": "work", "before": "active", "after": "disabled"}),
            ("client created", {"client": "laptop", "after": "budgets=20usd/month"}),
            ("client changed", {"client": "laptop", "before": "budgets=20usd/month", "after": "budgets=5usd/month"}),
        ]
        own = pwd.getpwuid(os.getuid()).pw_name
        assert {(change["uid"], change["user"]) for change in made} == {(os.getuid(), own)}
        assert len({change["pid"] for change in made}) == len(made), "each command is a process"
        shown = (await ctl(socket, "audit")).out.splitlines()
        assert shown[0].split() == ["WHEN", "WHO", "PID", "WHAT", "ABOUT", "FROM", "TO"]
        words = shown[1].split()
        assert words[2:3] == [own]
        assert words[-4:] == ["key", "work", "active", "disabled"]
        await gateway.crash_and_restart()
        assert await changes() == made
