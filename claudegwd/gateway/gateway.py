"""The gateway: what the two faces share. It connects the parts and makes few decisions itself."""

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from claudegwd.claude_cli.limit_windows import LimitWindow
from claudegwd.config.check import auth_required
from claudegwd.config.load import Loaded
from claudegwd.config.schema import Config
from claudegwd.gateway.daemon_life import DaemonLife
from claudegwd.gateway.daemon_states import DaemonEvent
from claudegwd.gateway.key_log import log_key_news, log_outage
from claudegwd.gateway.launcher import Launcher
from claudegwd.gateway.metrics import Metrics
from claudegwd.gateway.news import connect, watch
from claudegwd.gateway.offered_models import OfferedModels, note_models
from claudegwd.gateway.request_counts import RequestCounts
from claudegwd.gateway.responses import Responses
from claudegwd.gateway.sharing import Parts, Sharing, Stores, both, open_stores
from claudegwd.gateway.status import condition, described, status
from claudegwd.keys.answers import ENVIRONMENT, Dead
from claudegwd.keys.file import KeysSource
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.clients import Client
from claudegwd.limits.meter import Limits
from claudegwd.logs import LogRing, log
from claudegwd.logs import event as log_event
from claudegwd.notify.notice import of_cli
from claudegwd.notify.notifications import Notifications
from claudegwd.openai_api.errors import CliError, ModelNotFound
from claudegwd.store.audit import Audit
from claudegwd.store.chat_sessions import ChatSessions
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.database import Database
from claudegwd.store.keys import KeyMemory
from claudegwd.store.ledger import Ledger
from claudegwd.store.sealing import Seal, load_seal
from claudegwd.supervised import supervised
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.cli.known_cli import KnownCli
from claudegwd.workers.pool.pool import Pool
from claudegwd.workers.pool.starts import FAILED_STARTS_WITH_LOG, MAX_FAILED_STARTS
from claudegwd.workers.process.process import Launch
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import Questions, Timing
from claudegwd.workspaces.kept_conversations import KeptConversations
from claudegwd.workspaces.workspaces import Workspaces


def limits_of(config: Config) -> Limits:
    """The limits of a client that has none of its own."""
    limits = config.limits
    return Limits(limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_requests)


async def load_gateway(
    loaded: Loaded, keys: KeysSource, database: Database, logs: LogRing, env: Mapping[str, str]
) -> "Gateway":
    """A gateway, with what the last one left behind. Raises StateError, ConfigError, and NoCliError without a CLI."""
    config = loaded.config
    seal = await trio.to_thread.run_sync(load_seal, database.directory)
    clients = await ClientKeys.load(database, limits_of(config), loaded.secrets.api_keys)
    ledger = Ledger(database)
    await ledger.load_today()
    await ledger.tell_spent(clients.book.spending)
    responses = Responses(database, seal, config.responses.keep_seconds)
    await responses.load(trio.current_time(), on_disk=config.responses.keep == "disk")
    stores = await open_stores(loaded, env, socket.gethostname())
    return Gateway(loaded, keys, database, logs, env, LeftBehind(seal, clients, ledger, responses), stores)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What the last daemon left on disk, loaded."""

    seal: Seal
    clients: ClientKeys
    ledger: Ledger
    responses: Responses


class Gateway:
    """One daemon's state. Made by `load_gateway`; `run` it in a nursery, then hand it to the two faces.

    `config` is the one in effect.
    """

    def __init__(
        self,
        loaded: Loaded,
        keys: KeysSource,
        database: Database,
        logs: LogRing,
        env: Mapping[str, str],
        left: LeftBehind,
        stores: Stores | None,
    ) -> None:
        self.config = loaded.config
        self.keys_source = keys
        self.database = database
        self.clients, self.ledger, self.responses = left.clients, left.ledger, left.responses
        self.logs = logs
        self.life = DaemonLife()
        self.counts = RequestCounts()
        self.ring = KeyRing(keys.keys, cooldown_seconds=self.config.keys.cooldown_seconds)
        self.ring.by_headroom = self.config.keys.order == "headroom"
        self.launcher = Launcher(self.config, self.ring, env)
        self.offered = OfferedModels()
        self.metrics = Metrics()
        self.sessions = ChatSessions(database)
        self.audit = Audit(database)
        self.notifications = Notifications(database, env, socket.gethostname())
        self.notifications.configure(self.config.notify)
        self.sharing: Sharing | None = None
        if stores is not None:
            owned = (self.ring, self.clients, self.responses.kept, self.notifications, self.ledger.read_all)
            self.sharing = Sharing(loaded, stores, Parts(*owned, partial(described, self)))
            self.responses.seal = self.sharing.sealed_after(left.seal)
        self.pool = Pool(self.launch, self.config.workers, self.config.limits, trio.current_time, self._on_limits)
        self.pool.waiters.on_waited = self.metrics.waited
        timing = Timing(hold=self.config.keys.hold_seconds, request=self.config.limits.request_seconds)
        self.questions = Questions(self.pool, self.ring, timing, time.time)
        kept, note = KeptConversations(database.directory, left.seal), partial(self.audit.note, None, None)
        self.workspaces = Workspaces(self.questions, self.launcher, env, kept, note)
        self.workspaces.under_way, self.workspaces.client = left.clients.book.under_way, left.clients.book.find
        self.pool.sweep.give_up_elsewhere = self.workspaces.give_up_one

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, loaded: Loaded, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers and the questions until cancelled. `loaded`: the configuration as read.

        Started once a request could be answered. Raises CliError before that if the CLI does not start or is too old.
        """
        memory = KeyMemory(self.database, self.ring)
        self.ring.on_news, self.ring.addresses.on_change = log_key_news, log_outage
        await memory.load()
        await self.notifications.load()
        self.ring.on_change = both(memory.note, self.sharing.key_states.note) if self.sharing else memory.note
        connect(self.notifications, self.ring, self.clients.book.spending, self.workspaces.approvals)
        try:
            async with trio.open_nursery() as nursery:
                if self.sharing is not None:
                    await nursery.start(self.sharing.run)
                for task, name in (
                    (memory.run, "the memory of the key ring"),
                    (self.clients.run, "the totals of the clients"),
                    (self.sessions.run, "the totals of the sessions"),
                    (self.ledger.run, "the usage"),
                    (self.audit.run, "the audit"),
                    (self.responses.files.run, "the files of kept responses"),
                    (self.workspaces.kept.run, "the kept conversations of workspaces"),
                    (self.notifications.run, "the notifications"),
                    (partial(watch, self), "the events to notify about"),
                    (self.metrics.watch_loop, "the lag of the event loop"),
                ):
                    nursery.start_soon(supervised, task, name)
                await nursery.start(self.pool.run)
                await nursery.start(self.questions.run)
                try:
                    cli = await self.launcher.learn(self.launcher.cli.binary)
                except CliError:
                    self.notifications.tell(of_cli(time.time()))
                    raise
                note_models(loaded, cli.initialized)
                self.take_cli(cli)
                await self.workspaces.learn(self.config.workspaces)
                await self.workspaces.kept.load()
                self.life.change(DaemonEvent.STARTED)
                if fault := condition(self).problem:
                    log_event(log, logging.WARNING, "no request can be answered yet", problem=fault)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.launcher.close()

    def _on_limits(self, name: str, digest: str, windows: Sequence[LimitWindow]) -> None:
        # A late answer to a token that was replaced says nothing of the new one.
        keys = self.keys_source.keys
        if any(key.name == name and key.digest == digest for key in keys) if keys else name == ENVIRONMENT:
            self.ring.windows.note(name, windows, time.time())

    def launch(self) -> Launch:
        """How a new CLI process is started with the current configuration."""
        if self.launcher.cli.client_log and self.pool.roster.starts.failed >= FAILED_STARTS_WITH_LOG:
            self.launcher.cli = self.launcher.cli.without_client_log()
        return self.launcher.launch()

    def configure_pool(self) -> None:
        """Apply the current configuration and keys to the pool."""
        whole = self.launcher.carries_whole()
        self.pool.configure(self.config.workers, self.config.limits)
        self.pool.carry(whole=whole, plain_system=whole and self.config.claude.system == "plain")

    def take_cli(self, cli: KnownCli) -> None:
        """Start new processes from this CLI; busy ones finish on the old one."""
        other = cli.binary != self.launcher.cli.binary
        self.launcher.cli = cli
        self.configure_pool()
        if other:
            self.pool.renew()
            # It has started for `learn`: the failures were the other's.
            self.pool.roster.starts.succeeded(trio.current_time())
        self.offered.offer(self.config.claude, cli, self.config.workspaces)

    def configure(self, config: Config) -> None:
        """Put the gateway's part of this configuration into effect."""
        self.config = self.launcher.config = config
        self.ring.cooldown_seconds = config.keys.cooldown_seconds
        self.ring.by_headroom = config.keys.order == "headroom"
        self.configure_pool()
        self.questions.configure(config.limits, config.keys.hold_seconds)
        self.notifications.configure(config.notify)
        self.offered.offer(config.claude, self.launcher.cli, config.workspaces)
        self.workspaces.configure(config.workspaces)

    # -- requests -----------------------------------------------------------------------------------------------------

    def ask(self, plan: Plan, *, client: Client, request_id: str, route: str, whole: bool) -> Question:
        """Start an answer; the caller reads and closes it. `whole`: it takes the answer in one piece."""
        workspace = self.config.workspaces.get(plan.model.workspace)
        if not plan.model.workspace:
            return self.questions.ask(plan, request_id, whole=whole)
        if workspace is None:
            raise ModelNotFound("cannot continue in this workspace: it has just been removed", param="model")
        return self.workspaces.ask(plan, request_id, workspace, client, route=route, whole=whole)

    def needs_key(self) -> bool:
        """Whether requests need a client key."""
        return auth_required(self.config, self.life.binds)

    # -- status -------------------------------------------------------------------------------------------------------

    def cli_fails(self) -> bool:
        """Whether CLI processes no longer start."""
        return self.pool.roster.starts.failed >= MAX_FAILED_STARTS

    def unanswered_since(self) -> float | None:
        """Since when no upstream has answered, in seconds since the epoch; None if one does."""
        outage = self.ring.outage(time.time())
        return outage.since if outage is not None else None

    def lost_login(self) -> tuple[str, float | None]:
        """Without keys: the login that the upstream rejects, or limits until the time given; "" if it is usable."""
        lack = None if len(self.ring) else self.ring.lack(time.time(), None)
        return (self.launcher.login.name, None if isinstance(lack, Dead) else lack.until) if lack else ("", None)

    def lacks_credentials(self) -> bool:
        """Whether there is neither a key nor a login."""
        return not len(self.ring) and not self.launcher.login.found

    def look_at_login(self) -> None:
        """Check whether the CLI's login has changed: what was known of the last one does not apply to it."""
        before = self.launcher.login.settings
        if not self.launcher.login.changed():
            return
        self.ring.forget_login()
        if before != self.launcher.login.settings and not len(self.ring):
            self.configure_pool()
            self.pool.renew()

    async def machines(self) -> list[dict[str, Any]] | None:
        """For the control face: a dict for each machine that shares the store; None if nothing is shared."""
        return await self.sharing.rows() if self.sharing is not None else None

    def status(self) -> dict[str, Any]:
        """For the control face: what `claudegwctl status` shows. No token, no content."""
        return status(self)

    async def models(self) -> list[dict[str, Any]]:
        """For the control face: id, what the CLI is told, what it can do."""
        return self.offered.rows()

    def requests(self) -> list[dict[str, Any]]:
        """For the control face: a dict for each request that asks a model, oldest first. No content."""
        now = trio.current_time()
        return [running.row(now) for running in sorted(self.counts.running, key=lambda running: running.started)]

    def workers(self) -> list[dict[str, Any]]:
        """For the control face: a dict for each worker."""
        return self.pool.roster.describe()
