from __future__ import annotations

from pathlib import Path

from claudegwctl.commands.reload import changes
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


async def test_reloading(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "reload")).out == "nothing changed\n"
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n[workers]\nmax = 3\n')
    assert (await ctl(socket, "reload")).out.splitlines() == [
        'server.bind: ["127.0.0.1:8000"] -> ["127.0.0.1:9"]  (after a restart)',
        "workers.max: 8 -> 3",
    ]
    assert gateway.config.workers.max == 3


async def test_a_wrong_configuration_is_1_and_changes_nothing(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[workers]\nmax = 0\n")
    done = await ctl(socket, "reload")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith(
        f"cannot use {gateway.config_file}: workers.max must be a whole number from 1 to 1024, not 0"
    )
    assert gateway.generation == 1


def test_what_changed_for_people() -> None:
    answer = {
        "changes": [],
        "keys": {"added": ["a", "b"], "removed": [], "changed": ["c"]},
        "warnings": ["HOST is set but ignored"],
    }
    assert list(changes(answer)) == ["keys added: a, b", "keys changed: c", "warning: HOST is set but ignored"]
