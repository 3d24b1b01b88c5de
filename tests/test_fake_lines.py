"""That the fake CLI writes what the real one writes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import say, sequence
from tests.cli_binary import find_cli
from tests.fake_binary import write_fake_cli
from tests.talking import Line, Talk, settings, talk, user


def shapes(lines: list[Line]) -> list[tuple[str, str]]:
    return [(ln["type"], str(ln.get("subtype") or ln.get("event", {}).get("type", ""))) for ln in lines]


def missing_keys(real: list[Line], ours: list[Line]) -> set[str]:
    """Keys that we write and the real one does not."""
    return {f"{r['type']}.{key}" for r, o in zip(real, ours, strict=True) for key in o if key not in r} - {
        "system.padding",
        "result.padding",
    }


@asynccontextmanager
async def real_environment(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    endpoint = ScriptedEndpoint(sequence(say("   0", "   1")))
    async with trio.open_nursery() as nursery:
        yield {
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "ANTHROPIC_BASE_URL": await nursery.start(endpoint.serve),
            "ANTHROPIC_AUTH_TOKEN": "sk-false-1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        nursery.cancel_scope.cancel()


def conversation(cli: Talk) -> list[Line]:
    """What one start, one appended message and one question make a CLI write, without its asides."""
    cli.send(cli.control("initialize", systemPrompt=["S"]), settings(cli, "fake-deltas-2-size-4"))
    seen = cli.until(lambda line: line.get("response", {}).get("request_id") == "r2")
    cli.send(user("a", shouldQuery=False))
    seen += cli.result()
    cli.send(user("b"))
    seen += cli.result()
    return [line for line in seen if line.get("subtype") != "ui_invalidate"]


@pytest.mark.cli
async def test_the_real_one_writes_the_same_lines(tmp_path: Path) -> None:
    def real(environment: dict[str, str]) -> list[Line]:
        with talk(find_cli(), environment, tmp_path) as cli:
            return conversation(cli)

    async with real_environment(tmp_path) as environment:
        with trio.fail_after(60):
            theirs = await trio.to_thread.run_sync(real, environment)
    with talk(write_fake_cli(tmp_path), {"PATH": os.environ["PATH"]}, tmp_path) as cli:
        ours = conversation(cli)
    assert shapes(ours) == shapes(theirs)
    assert missing_keys(theirs, ours) == set()
