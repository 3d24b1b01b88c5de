from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from claudegwctl.commands.env import ShellName, usual_shell
from claudegwd.config.schema import KeysConfig
from claudegwd.keys.shell_text import Shell as DaemonShell
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


async def test_the_lines_can_be_evaluated(gateway: SmallGateway, socket: Path) -> None:
    gateway.config = msgspec.structs.replace(gateway.config, keys=KeysConfig(shell_files=("~/.bashrc",)))
    (gateway.directory / "env.sh").write_text("export ANTHROPIC_AUTH_TOKEN='sk-false-1'\n")
    done = await ctl(socket, "env", SHELL="/bin/sh")
    assert "sk-false" not in done.out
    shown = subprocess.run(
        ["sh", "-c", 'eval "$1"; echo "$ANTHROPIC_AUTH_TOKEN"', "sh", done.out],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout == "sk-false-1\n"
    assert (await ctl(socket, "env", "--shell", "fish", "--json")).json["shell"] == "fish"


async def test_no_file_is_kept(socket: Path) -> None:
    done = await ctl(socket, "env")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cannot print the lines: there is no env.sh; set keys.shell_files")


@pytest.mark.parametrize(
    ("path", "shell"), [("/usr/bin/fish", "fish"), ("zsh", "zsh"), ("/bin/dash", "bash"), ("", "bash")]
)
def test_whose_syntax(path: str, shell: str) -> None:
    assert usual_shell(path) == shell


def test_the_same_shells_as_the_daemons() -> None:
    assert [each.value for each in ShellName] == [each.value for each in DaemonShell]
