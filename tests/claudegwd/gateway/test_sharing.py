from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from claudegwd.config import ConfigError, load
from claudegwd.config.shared import read_place
from claudegwd.gateway.sharing import Parts, Sharing, both, open_stores
from claudegwd.keys.answers import RingChange
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.budget import read_budgets
from claudegwd.limits.meter import Limits
from claudegwd.notify.notifications import Notifications
from claudegwd.shared.store import SharedStore
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.database import Database
from claudegwd.store.ledger import Ledger
from claudegwd.store.responses import KeptResponses
from tests.redis_server import needs_redis, redis_server
from tests.shared_stores import until


async def test_nothing_is_shared_without_an_address(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    assert await open_stores(load(tmp_path / "config.toml", {}), {}, "m") is None


async def test_a_wrong_password_file_is_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[shared]\nurl = "valkey://127.0.0.1:1"\npassword_file = "absent"\n')
    with pytest.raises(ConfigError, match=r"config.toml: shared.password_file names a file that cannot be read"):
        await open_stores(load(tmp_path / "config.toml", {}), {}, "m")


async def test_the_machines_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[shared]\nurl = "valkey://127.0.0.1:1"\n')
    loaded = load(tmp_path / "config.toml", {})
    stores = await open_stores(loaded, {}, "host")
    assert stores is not None
    sharing = Sharing(loaded, stores, await parts())
    assert (sharing.status()["machine"], sharing.status()["place"]) == ("host", "127.0.0.1:1")


@needs_redis
async def test_without_a_secret_a_new_budget_is_shared_too(tmp_path: Path) -> None:
    with redis_server() as server:
        (tmp_path / "config.toml").write_text(f'[shared]\nurl = "{server.url}"\n')
        loaded = load(tmp_path / "config.toml", {})
        stores = await open_stores(loaded, {}, "host")
        assert stores is not None
        shared = await parts()
        async with trio.open_nursery() as nursery:
            await nursery.start(Sharing(loaded, stores, shared).run)
            await trio.testing.wait_all_tasks_blocked()
            await shared.clients.create("ann", budgets=read_budgets("10usd/month"))
            shared.clients.book.spending.add("ann", time.time(), 1.0, 1.0)
            await until(lambda: server.ask("KEYS", "claudegwd:spent:*") != [])
            nursery.cancel_scope.cancel()


@needs_redis
async def test_a_store_that_takes_no_large_values_is_shown(tmp_path: Path) -> None:
    with redis_server() as server, redis_server() as other:
        (tmp_path / "secret").write_text("0123456789abcdef" * 4)
        (tmp_path / "secret").chmod(0o600)
        (tmp_path / "config.toml").write_text(f'[shared]\nurl = "{server.url}"\nsecret_file = "secret"\n')
        loaded = load(tmp_path / "config.toml", {})
        stores = await open_stores(loaded, {}, "host")
        assert stores is not None
        bulk = SharedStore(read_place(other.url), "", "host", patience=20.0, seal=stores.store.seal, quiet=True)
        sharing = Sharing(loaded, replace(stores, bulk=bulk), await parts())
        async with trio.open_nursery() as nursery:
            await nursery.start(sharing.run)
            await until(lambda: sharing.status()["away_since"] is None)
            other.stop()
            await until(lambda: sharing.status()["away_since"] is not None)
            assert sharing.status()["problem"].startswith("for kept responses and usage: ")
            assert stores.store.away_since is None
            nursery.cancel_scope.cancel()


def test_each_listener_is_told() -> None:
    told: list[tuple[str, RingChange]] = []
    both(lambda change: told.append(("a", change)), lambda change: told.append(("b", change)))(RingChange.STATE)
    assert told == [("a", RingChange.STATE), ("b", RingChange.STATE)]


def test_the_servers_parser_is_loaded_only_with_a_connection() -> None:
    code = "import sys, claudegwd.daemon.daemon; sys.exit('hiredis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def parts() -> Parts:
    clients = await ClientKeys.load(Database(None), Limits())
    notifications = Notifications(Database(None), {}, "host")
    return Parts(
        KeyRing((), cooldown_seconds=60), clients, KeptResponses(), notifications, Ledger(Database(None)).read, dict
    )
