from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_rotating(socket: Path) -> None:
    assert (await ctl(socket, "rotate")).out == "now using second (before: primary)\n"
    assert (await ctl(socket, "rotate", "primary", "--json")).json == {"from": "second", "to": "primary"}
    assert (await ctl(socket, "rotate", "primary")).out == "primary was already the active key\n"


async def test_a_refusal_is_one_line_and_1(socket: Path) -> None:
    done = await ctl(socket, "rotate", "off")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("cannot rotate to key 'off': it is disabled; ")
