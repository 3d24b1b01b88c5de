"""What Claude asks a person for is seen, and answered, wherever a person may look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.chromium import chromium, find_chromium
from tests.e2e.harness import Running, running
from tests.e2e.test_approvals import ASKS, waiting
from tests.e2e.test_dashboard import looking, text_of
from tests.e2e.test_notify import telling, told, until_told
from tests.e2e.test_top import watching
from tests.e2e.workspace_scripts import bash, config, spoken, works
from tests.terminal import needs_tmux

pytestmark = pytest.mark.cli


@asynccontextmanager
async def asking(repo: Path, more: str = "") -> AsyncIterator[tuple[Running, list[Any]]]:
    """Claude would like to make two files, one after the other; the chunks are there when the block is left."""
    repo.mkdir()
    chunks: list[Any] = []
    async with running(works([bash("touch one"), bash("touch two")]), config=config(repo, ASKS) + more) as gateway:

        async def client() -> None:
            chunks.extend(await gateway.stream("Go.", model="sonnet@repo"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client)
            yield gateway, chunks
        assert (sorted(path.name for path in repo.iterdir()), spoken(chunks)[0][-9:]) == (["one"], "All done.")


async def answered(gateway: Running, ident: str) -> dict[str, Any]:
    """What is asked next."""

    async def another() -> bool:
        return (await waiting(gateway))["id"] != ident

    await gateway.until(another)
    return await waiting(gateway)


async def test_people_are_told_but_not_what_the_model_wrote(tmp_path: Path) -> None:
    notices = tmp_path / "notices"
    notices.mkdir()
    async with asking(tmp_path / "repo", telling(notices)) as (gateway, _):
        first = await waiting(gateway)
        await until_told(gateway, notices, [("approval_asked", "repo")])
        notice = told(notices)[0]
        assert "touch" not in str(notice)
        assert notice["until"] > notice["time"]
        await gateway.control("POST", f"/v1/approvals/{first['id']}/approve", {})
        second = await answered(gateway, first["id"])
        await until_told(gateway, notices, [("approval_asked", "repo")] * 2)
        await gateway.control("POST", f"/v1/approvals/{second['id']}/deny", {})


@needs_tmux
async def test_in_top(tmp_path: Path) -> None:
    async with asking(tmp_path / "repo") as (gateway, _):
        first = await waiting(gateway)
        async with watching(gateway, 120, 30) as top:
            screen = await top.until_shown("approvals 1", "Bash: touch one")
            assert (first["id"] in screen, str(tmp_path / "repo")[:20] in screen) == (True, True)
            await top.press("a")
            await top.until_shown("Approve this in repo", "no rule allows that command")
            await top.press("Enter")  # is no yes
            await top.press("y")
            await top.until_shown(f"approved {first['id']}", "Bash: touch two")
            await top.press("x")
            await top.until_shown("Deny this in repo")
            await top.press("y")
            await top.until(lambda screen: "approvals" not in screen)


@pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed: `apt-get install chromium`")
async def test_on_the_dashboard(tmp_path: Path) -> None:
    async with asking(tmp_path / "repo") as (gateway, _):
        first = await waiting(gateway)
        with chromium() as browser:
            async with looking(browser, gateway, "--read-only") as page:
                await page.until(f"{text_of('#approvals-table')}.includes('Bash: touch one')")
                assert str(tmp_path / "repo") in await page.text("#approvals-table")
                assert await page.js("document.querySelectorAll('#approvals-table button').length") == 0
            async with looking(browser, gateway) as page:
                button = f'button[aria-label="Approve {first["id"]}"]'
                await page.until(f"document.querySelector('{button}')")
                await page.click(button)
                await page.until("document.querySelector('#question').open")
                assert "Bash: touch one" in await page.text("#question")
                await page.click("#question-yes")
                await page.until(f"{text_of('#approvals-table')}.includes('Bash: touch two')")
                await page.click('#approvals-table button[aria-label^="Deny"]')
                await page.until(f"{text_of('#approvals-table')}.includes('Nothing is waiting')")
