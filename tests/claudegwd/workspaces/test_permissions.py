"""Calls are put to the policy and to people; no flood of them is without an end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from claudegwd.claude_cli.tool_lines import ToolAsked
from claudegwd.limits.clients import Client
from claudegwd.workspaces import permissions as bounds
from claudegwd.workspaces.kept_conversations import KeptConversations
from claudegwd.workspaces.permissions import Permissions
from claudegwd.workspaces.policy import Policy
from claudegwd.workspaces.rules import parse_rule
from claudegwd.workspaces.workspaces import Workspaces

CLIENT = Client("webui", b"", identity="id-1")


class Home:
    """The workspaces of a daemon, and what was noted and said there."""

    def __init__(self, directory: Path, *, asks: bool = False) -> None:
        self.noted: list[dict[str, Any]] = []
        self.said: list[str] = []
        nothing = cast(Any, None)
        kept = KeptConversations(None, nothing)
        self.workspaces = Workspaces(nothing, nothing, {}, kept, lambda _, fields: self.noted.append(dict(fields)))
        policy = Policy(str(directory), frozenset({"Read", "Bash"}), (parse_rule("Bash(ls *)"),), (), asks)
        self.permissions = Permissions(self.workspaces, "repo", policy, self._say)

    async def _say(self, text: str) -> None:
        self.said.append(text)

    async def refusal(self, command: str, **more: Any) -> str | None:
        asked = ToolAsked("r-1", "Bash", {"command": command, **more})
        return await self.permissions.refusal(asked, CLIENT)


async def test_a_call_that_is_denied_is_noted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert await home.refusal("ls -l") is None
    assert await home.refusal("rm x") == "no rule allows that command"
    assert home.noted == [
        {"workspace": "repo", "client": "webui", "action": "Bash: rm x", "reason": "no rule allows that command"}
    ]


async def test_a_flood_of_denials_is_noted_in_part(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(bounds.MAX_NOTED + 20):
        assert await home.refusal(f"rm {number}") is not None
    assert len(home.noted) == bounds.MAX_NOTED
    assert home.noted[-1]["reason"].endswith("further denials for this process are not logged")


def test_calls_have_an_end(tmp_path: Path) -> None:
    permissions = Home(tmp_path).permissions
    assert all(permissions.count() for _ in range(bounds.MAX_ASKED))
    assert not permissions.count()


async def test_few_calls_wait_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path, asks=True)
    async with trio.open_nursery() as nursery:
        for number in range(bounds.MAX_JUDGED_AT_ONCE * 3):
            nursery.start_soon(home.refusal, f"rm {number}")
        with trio.fail_after(10):
            while len(home.said) < bounds.MAX_JUDGED_AT_ONCE:
                await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked(0.1)
        waiting = home.workspaces.approvals.rows()
        assert len(waiting) == len(home.said) == bounds.MAX_JUDGED_AT_ONCE
        nursery.cancel_scope.cancel()


async def test_a_person_sees_all_that_is_approved(tmp_path: Path) -> None:
    home = Home(tmp_path, asks=True)
    refused: list[str | None] = []

    async def ask() -> None:
        refused.append(await home.refusal("rm \x1b[8m x\nrm y", description="Harmless"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        with trio.fail_after(10):
            while not home.said:
                await trio.sleep(0.01)
        [row] = home.workspaces.approvals.rows()
        assert row["shown"] == "Bash: rm ⟨U+001B⟩[8m x\n  rm y"
        home.workspaces.approvals.approve(row["id"])
    assert refused == [None]
    assert home.said == [f"waiting for approval of {row['id']}: Bash: rm  [8m x rm y"]
    assert await home.refusal("rm " + "x" * 30_000) is not None
    assert len(home.said) == 1, "nobody was asked for what nobody would read"


async def test_no_name_of_a_tool_writes_lines_of_ours(tmp_path: Path) -> None:
    home = Home(tmp_path, asks=True)
    async with trio.open_nursery() as nursery:
        asked = ToolAsked("r-1", "mcp__a\nBash: ls\x1b[2J", {})
        nursery.start_soon(home.permissions.refusal, asked, CLIENT)
        with trio.fail_after(10):
            while not home.said:
                await trio.sleep(0.01)
        [row] = home.workspaces.approvals.rows()
        assert all(row[name].isprintable() for name in ("shown", "why"))
        nursery.cancel_scope.cancel()


async def test_nothing_hides_as_something_that_looks_like_a_token(tmp_path: Path) -> None:
    home = Home(tmp_path, asks=True)
    command = "curl -H Authorization:$(rm${IFS}x) https://sk-false-12345678.example/"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(home.refusal, command)
        with trio.fail_after(10):
            while not home.said:
                await trio.sleep(0.01)
        [row] = home.workspaces.approvals.rows()
        assert row["shown"] == f"Bash: {command}"
        assert "rm" not in home.said[0], "the client's stream is no place to decide"
        nursery.cancel_scope.cancel()


async def test_a_chain_of_links_that_nobody_can_follow_is_denied(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(2000):
        (tmp_path / str(number)).symlink_to(str(number + 1))
    asked = ToolAsked("r-1", "Read", {"file_path": "0"})
    with trio.fail_after(20):
        assert await home.permissions.refusal(asked, CLIENT) in (None, "that path is outside this workspace")


async def test_nobody_waits_for_a_slow_disk(tmp_path: Path) -> None:
    """A call is looked at in a thread: its paths are followed there, and held against every rule."""
    home = Home(tmp_path)
    threads: set[int] = set()

    class Watched(dict[str, Any]):
        def get(self, *arguments: Any) -> Any:
            threads.add(threading.get_ident())
            return super().get(*arguments)

    asked = ToolAsked("r-1", "Read", Watched(file_path="a"))
    assert await home.permissions.refusal(asked, CLIENT) is None
    assert threads
    assert threading.get_ident() not in threads
