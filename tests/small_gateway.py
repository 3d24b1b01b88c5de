"""A small gateway for the tests of the control face: real configuration, keys file, key ring and log, but no CLI."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import trio

from claudegwd.config import Config, Loaded, diff, in_effect, load
from claudegwd.control.app import control_app
from claudegwd.control.controllable import Clients, Controls
from claudegwd.control.server import serve_control
from claudegwd.gateway.daemon_life import DaemonLife
from claudegwd.keys.answers import KeysDiff, UnknownKey
from claudegwd.keys.file import KeysEdit, KeysSource, load_keys
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.budget import Budget
from claudegwd.logs import LogHandler, LogRing, log
from claudegwd.notify.notifications import Notifications
from claudegwd.redact import know_tokens
from claudegwd.sockets import open_control
from claudegwd.store.audit import Audit
from claudegwd.store.database import Database
from claudegwd.store.ledger import Ledger
from claudegwd.workspaces.approvals import Approvals
from claudegwd.workspaces.overview import overview
from tests.plain_http import control_client

KEYS = [
    {"name": "primary", "token": "sk-false-primary-0001"},
    {"name": "second", "token": "sk-false-good-second-0002", "base_url": "https://two.invalid"},
    {"name": "off", "token": "sk-false-off-0003", "status": "disabled"},
]
TOKENS = [key["token"] for key in KEYS]


class SmallClients:
    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}

    async def rows(self) -> list[dict[str, Any]]:
        return list(self._rows.values())

    async def create(
        self,
        name: str,
        *,
        models: Sequence[str],
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        concurrent_requests: int | None,
        expires: float | None,
        budgets: Sequence[Budget],
        server_tools: Sequence[str],
    ) -> str:
        if name in self._rows:
            raise ValueError(f"cannot create client {name!r}: that name is taken")
        self._rows[name] = {
            "name": name, "state": "active", "models": list(models), "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute, "concurrent_requests": concurrent_requests, "expires": expires,
            "server_tools": list(server_tools),
            "budgets": [{"budget": str(budget), "used": 0.5, "resets": 1_900_000_000.0} for budget in budgets],
            "created": 1_800_000_000.0, "last_used": None, "requests": 0, "tokens": 0,
        }  # fmt: skip
        return f"cgw-false-key-of-{name}"

    async def revoke(self, name: str) -> None:
        if name not in self._rows:
            raise LookupError(f"cannot find client {name!r}: `claudegwctl clients list` shows the names")
        self._rows[name]["state"] = "revoked"

    async def remove(self, name: str) -> None:
        await self.revoke(name)
        del self._rows[name]

    async def set(self, name: str, changes: Mapping[str, Any]) -> None:
        self._rows[name].update(
            {field: list(map(str, value)) if field == "budgets" else value for field, value in changes.items()}
        )

    async def rotate(self, name: str) -> str:
        return f"cgw-false-second-key-of-{self._rows[name]['name']}"


class SmallWorkspaces:
    """On a machine that can confine all but what `missing` says."""

    def __init__(self) -> None:
        self.missing: tuple[str, ...] = ()
        self.approvals = Approvals()

    async def rows(self, config: Config) -> list[dict[str, Any]]:
        rows = overview(config.workspaces, config.claude, self.missing)
        return [row | {"conversations": {"count": 1, "bytes": 120_000}} for row in rows]


class SmallGateway:
    """Gateway and reloader in one. `directory` gets config.toml and keys.json; a key whose token says "good" passes its
    test."""

    def __init__(self, directory: Path, config: str = "", keys: list[dict[str, str]] | None = None) -> None:
        self.directory = directory
        self.config_file = directory / "config.toml"
        self.keys_file = directory / "keys.json"
        self.config_file.write_text(config)
        self.keys_file.touch(0o600)
        self.keys_file.write_text(json.dumps({"claude_api_keys": KEYS if keys is None else keys}))
        self.loaded: Loaded = load(self.config_file, {})
        self.config: Config = self.loaded.config
        self.keys_source: KeysSource = load_keys(self.keys_file, {})
        know_tokens(key.token for key in self.keys_source.keys)
        self.ring = KeyRing(self.keys_source.keys, cooldown_seconds=60)
        self.logs = LogRing()
        self.clients: Clients | None = SmallClients()
        self.audit = Audit(Database(None))
        self.workspaces = SmallWorkspaces()
        self.ledger = Ledger(Database(None))
        self.notifications = Notifications(Database(None), os.environ, "small")
        self.notifications.configure(self.config.notify)
        self.generation = 1
        self.state_problem: str | None = None
        self.sandbox_missing: list[str] = []
        self.life = DaemonLife()
        self.conversations = {"count": 0, "bytes": 0}
        self.shared: dict[str, Any] | None = None  # the store that it shares with others
        self.sharing: Any = None
        self.others: list[dict[str, Any]] | Exception | None = None  # the machines that share a store with it

    def status(self) -> dict[str, Any]:
        return {
            "version": "1.2.3", "claude_version": "2.1.330", "claude_binary": "/opt/claude", "pid": 4242,
            "uptime_seconds": 93784.0, "state": "ready" if self.life.drained_since is None else "draining",
            "problem": self.state_problem or "", "drained_since": self.life.drained_since,
            "binds": ["127.0.0.1:8000"],
            "keys": self.ring.snapshot(time.time()), "keys_origin": self.keys_source.origin,
            "state_file": None, "state_problem": self.state_problem, "sandbox_missing": self.sandbox_missing,
            "shared": self.shared, "conversations": self.conversations,
            "workers": {"spare": 1, "busy": 2, "idle": 3, "parked": 0, "starting": 0},
            "requests": {"active": 2, "queued": 0, "total": 117, "failed": 3},
            "config_generation": self.generation, "last_reload": None,
        }  # fmt: skip

    async def machines(self) -> list[dict[str, Any]] | None:
        if isinstance(self.others, Exception):
            raise self.others
        return self.others

    def requests(self) -> list[dict[str, Any]]:
        return [
            {"request_id": "req_1", "client": "laptop", "model": "sonnet", "route": "/v1/chat/completions",
             "stream": True, "state": "streaming", "age_seconds": 4.2, "first_token_seconds": 0.61,
             "output_tokens": 180, "tokens_per_second": 50.1, "worker": 4243, "how": "warm", "key": "primary",
             "attempts": 1},
        ]  # fmt: skip

    def workers(self) -> list[dict[str, Any]]:
        return [
            {"number": 1, "pid": 4243, "state": "busy", "client": "laptop", "key": "primary", "uses": 4,
             "age_seconds": 61.5, "idle_seconds": 0.0, "rss_bytes": 180_000_000},
            {"number": 2, "pid": 4244, "state": "spare", "client": None, "key": None, "uses": 0,
             "age_seconds": 10.0, "idle_seconds": 10.0, "rss_bytes": None},
        ]  # fmt: skip

    async def models(self) -> list[dict[str, Any]]:
        return [{"id": "sonnet", "cli_name": "sonnet", "display_name": "Sonnet", "efforts": ["low", "high"]}]

    async def check(self) -> Mapping[str, Any]:
        loaded = load(self.config_file, {})
        load_keys(self.keys_file, {})
        return {"changes": [change.as_dict() for change in diff(self.config, loaded.config)]}

    async def reload(self) -> Mapping[str, Any]:
        answer = await self.check()
        self.loaded = load(self.config_file, {})
        self.config = in_effect(self.config, self.loaded.config)
        self.notifications.configure(self.config.notify)
        self.generation += 1
        found = await self.reload_keys()
        keys = {"added": found.added, "removed": found.removed, "changed": found.changed}
        return {"generation": self.generation, "keys": keys, **answer}

    async def reload_keys(self) -> KeysDiff:
        self.keys_source = load_keys(self.keys_file, {})
        return self.ring.replace(self.keys_source.keys, time.time())

    async def edit_keys(self, edit: Callable[[Path], KeysEdit]) -> KeysEdit:
        done = edit(self.keys_source.to_edit())
        self.keys_source = done.source
        self.ring.replace(done.source.keys, time.time())
        return done

    async def test_key(self, name: str) -> Mapping[str, Any]:
        for key in self.keys_source.keys:
            if key.name == name:
                good = "good" in key.token
                if good:
                    self.ring.clear(name)
                error = None if good else "authentication (401)"
                return {"name": name, "ok": good, "state": "ready", "error": error, "seconds": 0.25}
        raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")


class Kept(LogHandler):
    """The daemon's handler, without a stream."""

    def __init__(self, ring: LogRing) -> None:
        super().__init__(ring, io.StringIO(), {}, _no_journal)


def _no_journal() -> Any:
    raise AssertionError("no test logs to the journal")


@contextmanager
def short_directory() -> Iterator[Path]:
    """A socket's path has 103 bytes at most, which pytest's directories use up."""
    made = Path(tempfile.mkdtemp(prefix="cgw"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


@asynccontextmanager
async def running(gateway: SmallGateway) -> AsyncIterator[Path]:
    """The control face of `gateway`, served on the socket that this gives; its log goes to gateway.logs."""
    handler, level = Kept(gateway.logs), log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    shutdown = trio.Event()
    try:
        with open_control(gateway.directory / "control.sock") as control:
            async with trio.open_nursery() as nursery:
                app = control_app(Controls(gateway, gateway))
                await nursery.start(lambda task_status: serve_control(
                    app, control.socket, shutdown=shutdown, task_status=task_status
                ))  # fmt: skip
                try:
                    yield control.path
                finally:
                    shutdown.set()
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def client_of(path: Path) -> httpx.AsyncClient:
    """An HTTP client on the control socket."""
    return control_client(path, 10.0)
