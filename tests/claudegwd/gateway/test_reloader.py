"""Changes of a running gateway, made by several people at once."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from claudegwd.atomic import locked
from claudegwd.config.load import load
from claudegwd.gateway.gateway import load_gateway
from claudegwd.gateway.reloader import Reloader
from claudegwd.keys.file import KeysEdit, add_key, load_keys, remove_key
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.parse import KeysError
from claudegwd.logs import LogHandler, LogRing
from claudegwd.store.database import Database
from claudegwd.workspaces.probe import UNTRIED
from tests.fake_binary import write_fake_cli

ROUNDS = 200
RELOADS = 10


@asynccontextmanager
async def running(directory: Path, keys: str | None) -> AsyncIterator[Reloader]:
    """A gateway on files in `directory`, with a fake CLI; `keys` is the text of its keys.json."""
    write_fake_cli(directory)
    config = directory / "config.toml"
    config.write_text(f'[claude]\nbinary = "{directory}/claude"\n[workers]\nspares = 0\n')
    if keys is not None:
        write(directory, keys)
    env = {"HOME": str(directory), "PATH": "/usr/bin:/bin", "STATE_DIRECTORY": str(directory)}
    loaded = load(config, env)
    logs = LogRing()
    with closing(Database(None)) as database:
        gateway = await load_gateway(loaded, load_keys(directory / "keys.json", env), database, logs, env)
        handler = LogHandler(logs, io.StringIO(), {}, _no_journal)
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.run, loaded)
            yield Reloader(gateway, loaded, handler, config_option=config)
            nursery.cancel_scope.cancel()


def _no_journal() -> Any:
    raise AssertionError("no test logs to the journal")


def write(directory: Path, text: str) -> Path:
    file = directory / "keys.json"
    file.touch(0o600)
    file.write_text(text)
    return file


def names(reloader: Reloader) -> list[str]:
    return [key.name for key in reloader.gateway.keys_source.keys]


ONE = '{"claude_api_keys": [{"name": "first", "token": "sk-false-first-1"}]}'


async def test_no_older_read_wins_over_a_newer_one(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as reloader:
        taken: list[tuple[str, ...]] = []
        reloader.gateway.ring.on_change = lambda _: taken.append(
            tuple(key.token for key in reloader.gateway.keys_source.keys)
        )

        async def edit(number: int) -> None:
            if number % 2:
                await reloader.edit_keys(partial(remove_key, name="second"))
            else:
                await reloader.edit_keys(partial(add_key, key=UpstreamKey("second", f"sk-false-second-{number}")))

        for number in range(ROUNDS):
            taken.clear()
            async with trio.open_nursery() as nursery:
                for which in range(RELOADS):
                    nursery.start_soon(reloader.reload if which == number % RELOADS else reloader.reload_keys)
                    if which == RELOADS // 2:
                        nursery.start_soon(edit, number)
            wanted = tuple(key.token for key in load_keys(tmp_path / "keys.json", {}).keys)
            assert [row["name"] for row in reloader.gateway.ring.snapshot(0)] == names(reloader)
            assert set(taken[taken.index(wanted) :]) == {wanted}, f"round {number}: what was older was taken later"


async def test_a_reload_whose_caller_went_away_is_reported_once_it_is_in_effect(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as reloader:
        scope, answers = trio.CancelScope(), []
        reloader.gateway.ring.on_change = lambda _: scope.cancel()
        with scope:
            answers.append(await reloader.reload())
        assert [answer["generation"] for answer in answers] == [reloader.generation] == [2]
        assert reloader.last_reload is not None
        assert reloader.last_reload["ok"]


async def test_new_shells_get_the_last_of_several_keys(tmp_path: Path) -> None:
    two = json.dumps({"claude_api_keys": [{"name": n, "token": f"sk-false-{n}-1"} for n in ("first", "second")]})
    async with running(tmp_path, two) as reloader:
        (tmp_path / "config.toml").write_text(
            (tmp_path / "config.toml").read_text() + f'[keys]\nshell_files = ["{tmp_path}/.bashrc"]\n'
        )
        await reloader.reload()
        for _ in range(10):
            async with trio.open_nursery() as nursery:
                with locked(tmp_path / ".env.sh.lock"):  # a slow disk
                    for name in ("second", "first"):
                        reloader.gateway.ring.rotate(0.0, name)
                        nursery.start_soon(reloader.reload_keys)
                        await trio.testing.wait_all_tasks_blocked(0.01)
            assert "sk-false-first-1" in (tmp_path / "env.sh").read_text()


async def test_what_is_written_is_taken_although_its_caller_went_away(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as reloader:
        reached = False
        with trio.CancelScope() as scope:

            def edit(path: Path) -> KeysEdit:
                trio.from_thread.run_sync(scope.cancel)
                return add_key(path, UpstreamKey("second", "sk-false-second-2"))

            await reloader.edit_keys(edit)
            reached = True  # whoever asked for it can still say so, to the audit
        assert reached
        assert names(reloader) == ["first", "second"]


@pytest.mark.parametrize("text", ["", " \n", "{}", None])
async def test_keys_end_by_an_explicit_empty_list_only(tmp_path: Path, text: str | None) -> None:
    async with running(tmp_path, ONE) as reloader:
        file = tmp_path / "keys.json"
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        assert "stay in use" in (await reloader.check())["warnings"][0]
        await reloader.reload_keys()
        await reloader.reload()
        assert names(reloader) == ["first"]
        assert len(reloader.gateway.ring) == 1
        write(tmp_path, '{"claude_api_keys": []}')
        assert (await reloader.reload_keys()).removed == ("first",)
        assert len(reloader.gateway.ring) == 0


async def test_a_bare_empty_list_and_the_removal_of_the_last_key_are_explicit(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as reloader:
        await reloader.edit_keys(partial(remove_key, name="first"))
        assert names(reloader) == []
        write(tmp_path, ONE)
        await reloader.reload_keys()
        write(tmp_path, "[]")
        await reloader.reload_keys()
        assert names(reloader) == []


async def test_a_watched_file_is_taken_when_its_mode_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, ONE) as reloader, trio.open_nursery() as nursery:
        (tmp_path / "config.toml").write_text((tmp_path / "config.toml").read_text() + "[keys]\nwatch = true\n")
        await reloader.reload()
        nursery.start_soon(reloader.follow_keys)
        await trio.testing.wait_all_tasks_blocked()  # it has seen the file as it is now
        file = write(tmp_path, ONE.replace("first", "other"))
        file.chmod(0o644)
        with pytest.raises(KeysError, match="chmod 600"):
            await reloader.reload_keys()
        with trio.fail_after(20):
            while "the changed keys file was rejected" not in caplog.text:
                await trio.sleep(0.05)
            assert names(reloader) == ["first"]
            file.chmod(0o600)
            while names(reloader) != ["other"]:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


async def test_what_is_not_confined_is_known_after_a_workspace_was_added(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as reloader:
        gateway, config = reloader.gateway, tmp_path / "config.toml"
        found = [UNTRIED, ("no walls",), ("no walls",), ()]
        gateway.workspaces.tries = lambda: found.pop(0)
        repo = tmp_path.with_name(f"{tmp_path.name}-repo")
        repo.mkdir()

        def known() -> list[str]:
            return gateway.workspaces.unconfined(gateway.config.workspaces)

        await reloader.reload()
        assert known() == []
        assert len(found) == 4, "there is no workspace to confine"
        config.write_text(f'{config.read_text()}[workspaces.repo]\ndirectory = "{repo}"\nanonymous = true\n')
        await reloader.reload()
        assert known() == list(UNTRIED)
        assert await gateway.workspaces.missing() == ("no walls",), "what could not be found out is tried again"
        assert await gateway.workspaces.missing() == ("no walls",)
        await reloader.reload()
        assert known() == ["no walls"]
        await reloader.reload()
        assert known() == [], "it was put right"
        assert found == []
