"""The table in a real terminal: more rows than there is room for."""

from __future__ import annotations

import os
import shlex
import sys

from claudegwctl.watching.rows import Rows
from tests.control_cli import ROOT
from tests.small_gateway import SmallGateway, running, short_directory
from tests.terminal import needs_tmux, terminal

pytestmark = needs_tmux

ROOM = 8  # of 24 lines, 40 % for the table and its head
KEYS = [{"name": f"key{number:02}", "token": f"sk-false-{number:04}"} for number in range(30)]


def keys_of(screen: str) -> list[str]:
    return [line.split()[0] for line in screen.splitlines() if line.startswith("key0") or line[:4] in ("key1", "key2")]


def test_of_two_rows_of_one_name_the_second_can_be_chosen() -> None:
    rows = Rows("requests")
    shown = (["head", "one", "two", "three"], ["req_1", "req_1", "req_2"], [""] * 3)
    for _ in range(2):
        rows.show(*shown)
        rows.action_move(1)
    rows.show(*shown)
    assert rows.chosen == "req_2"


async def test_the_chosen_row_stays_in_sight_and_chosen() -> None:
    env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": "/tmp"}
    with short_directory() as directory:
        gateway = SmallGateway(directory, keys=KEYS)
        async with running(gateway) as path, terminal(80, 24, env, ROOT) as top:
            words = [sys.executable, "-m", "claudegwctl", "--socket", str(path), "top", "--interval", "0.1"]
            await top.type(shlex.join(words))
            await top.until(lambda screen: keys_of(screen) == [f"key{number:02}" for number in range(ROOM)])
            await top.press("Down", "Down", "PageDown")
            await top.until(lambda screen: keys_of(screen)[-1:] == [f"key{2 + ROOM - 1:02}"])
            await top.press("d")
            await top.until_shown(f"Disable key “key{2 + ROOM - 1:02}”?")
            await top.press("n")
            await top.until(lambda screen: "y yes" not in screen)
            await top.press("End")
            await top.until(lambda screen: keys_of(screen)[-1:] == ["key29"])
            await top.press("Home")
            await top.until(lambda screen: keys_of(screen)[:1] == ["key00"])
            await top.resize(80, 12)
            await top.press("End")
            await top.until(lambda screen: keys_of(screen)[-1:] == ["key29"])
