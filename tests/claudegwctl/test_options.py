from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl, ctl_without_daemon


async def test_json_may_stand_before_and_behind_the_command(socket: Path) -> None:
    before = await ctl(socket, "--json", "workers")
    behind = await ctl(socket, "workers", "--json")
    assert before.json == behind.json
    assert before.out.count("\n") == 1


def test_arguments_are_shown_in_capitals() -> None:
    for words, usage in (
        (("keys", "add"), "NAME"),
        (("keys", "rename"), "NAME TO"),
        (("connect",), "[CLIENT]"),
        (("chat",), "[TEXT...]"),
    ):
        shown = ctl_without_daemon(*words, "--help").out
        assert shown.splitlines()[0] == f"Usage: claudegwctl {' '.join(words)} [OPTIONS] {usage}"
    assert "missing argument 'NAME'" in ctl_without_daemon("keys", "add").err
