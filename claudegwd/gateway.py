"""The gateway: what the two faces share. It holds the parts together and decides little itself."""

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import trio

from claudegwd import contract
from claudegwd.claude_cli import launch as cli_launch
from claudegwd.config.check import auth_required
from claudegwd.config.load import Loaded
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import Config
from claudegwd.daemon_states import TRANSITIONS, DaemonEvent, DaemonState
from claudegwd.key_log import log_key_news
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.file import KeysSource
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.clients import Client
from claudegwd.limits.meter import Limits
from claudegwd.login import Login
from claudegwd.logs import LogRing, log
from claudegwd.logs import event as log_event
from claudegwd.messages_api.request import MessagesRequest
from claudegwd.messages_api.tools import check_allowed, check_use
from claudegwd.metrics import Metrics
from claudegwd.news import connect, watch
from claudegwd.notify.notice import of_cli
from claudegwd.notify.notifications import Notifications
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat_request import ChatRequest
from claudegwd.openai_api.errors import CallerError, CliError, GatewayError, ModelNotFound
from claudegwd.openai_api.fields import cannot_honour
from claudegwd.openai_api.models import ModelInfo
from claudegwd.store.audit import Audit
from claudegwd.store.background_record import BackgroundRecord
from claudegwd.store.chat_sessions import ChatSessions
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.database import FILE_NAME, Database, StateError, StateInUseError
from claudegwd.store.keys import KeyMemory
from claudegwd.store.ledger import Ledger
from claudegwd.store.response_files import ResponseFiles
from claudegwd.store.responses import KeptResponses
from claudegwd.store.running_responses import RunningResponses
from claudegwd.store.sealing import Seal, load_seal
from claudegwd.supervised import supervised
from claudegwd.transitions import after
from claudegwd.translate.catalogue import LONG_CONTEXT, Model, long_context, offered
from claudegwd.translate.fallbacks import stand_ins, strangers, with_fallbacks
from claudegwd.translate.messages_plan import messages_plan
from claudegwd.translate.model_names import no_such_model
from claudegwd.translate.parameters import WEB_SEARCH
from claudegwd.translate.plan import Plan, make_plan
from claudegwd.workers.binary import find_binary
from claudegwd.workers.catalogue_probe import Found, keep, probe, read_kept
from claudegwd.workers.known_cli import KnownCli, learn
from claudegwd.workers.pool import Pool
from claudegwd.workers.process import Launch
from claudegwd.workers.question import Question, Questions, Timing
from claudegwd.workers.running_request import RunningRequest
from claudegwd.workers.scratch import Scratch
from claudegwd.workers.starts import MAX_FAILED_STARTS

# Above parked_seconds, so that the CLI never gives up a tool call before we do.
TOOL_GRACE_SECONDS = 60.0

# Why no request can be answered until a person has helped: with keys, and without.
_DEAD = {
    FailureKind.AUTHENTICATION: "no upstream key can be used: see `claudegwctl keys list`",
    FailureKind.BILLING: "no upstream key can be used: the credit of the last one is spent; pay, or add a key",
    FailureKind.MODEL_FORBIDDEN: "no upstream key has access to claude.default_model; choose another, or add a key",
}
_ADD = "`claudegwctl keys add NAME` adds a key, or log the CLI in"
_LOGIN_DEAD = {
    FailureKind.AUTHENTICATION: f"no key is configured, and the upstream refused the login: {_ADD} again",
    FailureKind.BILLING: f"no key is configured, and the credit of the login is spent: pay, or {_ADD} as somebody else",
}
_NO_LOGIN = f"neither a key nor a login of the Claude Code CLI was found: {_ADD}"


def own_version() -> str:
    """Of the installed package."""
    try:
        return version("claudegwd")
    except PackageNotFoundError:
        return "0+unknown"


def limits_of(config: Config) -> Limits:
    """What a client may do that has no limits of its own."""
    limits = config.limits
    return Limits(limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_requests)


def open_database(env: Mapping[str, str]) -> Database:
    """The state file, or one in memory where there is nowhere to write. Blocking. Raises StateInUseError."""
    path = contract.state_directory(env) / FILE_NAME
    try:
        return Database(path)
    except StateInUseError:
        raise
    except StateError as error:
        log_event(log, logging.ERROR, "the state is kept in memory only", problem=str(error))
        return Database(None, str(error))


class Gateway:
    """One daemon's state. Made by the daemon; `run` it in a nursery, then hand it to the two faces.

    `config` is in effect.
    """

    def __init__(
        self, loaded: Loaded, keys: KeysSource, database: Database, logs: LogRing, env: Mapping[str, str]
    ) -> None:
        self.config = loaded.config
        self._loaded = loaded  # at the start
        self.keys_source = keys
        self.database = database
        self.logs = logs
        self.env = env
        self.version = own_version()
        self.started_at = time.time()
        self.state = DaemonState.STARTING
        self.drained_since: float | None = None  # the operator wants no new requests sent here
        self.binds: list[str] = []
        self.bounds = Bounds()
        self.active = 0
        self.total = 0
        self.failed: dict[str, int] = {}
        self.running_requests: set[RunningRequest] = set()  # those that ask a model
        self.ring = KeyRing(keys.keys, cooldown_seconds=self.config.keys.cooldown_seconds)
        self.ring.by_headroom = self.config.keys.order == "headroom"
        self.login = Login(env)
        self.scratch = Scratch.make()
        self.cli = KnownCli(find_binary(self.config.claude, env))
        self.metrics = Metrics()
        self.sessions = ChatSessions(database)
        self.ledger = Ledger(database)
        self.audit = Audit(database)
        self.notifications = Notifications(database, env, socket.gethostname())
        self.notifications.configure(self.config.notify)
        self.responses = KeptResponses(keep_seconds=self.config.responses.keep_seconds)
        self.response_files = ResponseFiles(database.path.parent if database.path is not None else None)
        self.background = BackgroundRecord(database)
        self.running = RunningResponses()
        self.draining = trio.Event()
        self.sockets: Counter[str] = Counter()  # WebSockets that are open, by owner
        self.pool = Pool(self.launch, self.config.workers, self.config.limits, trio.current_time)
        self.pool.on_waited = self.metrics.waited
        self.pool.on_limits = lambda key, windows: self.ring.windows.note(key, windows, time.time())
        self.questions: Questions
        self.clients: ClientKeys
        self.seal: Seal
        self._models: dict[str, Model] = {}

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers and the questions until cancelled.

        Started when a request could be answered. Raises CliError before that when the CLI does not start or is too old.
        """
        memory = KeyMemory(self.database, self.ring)
        self.ring.on_news = log_key_news
        await memory.load()
        await self.notifications.load()
        self.ring.on_change = memory.note
        directory = self.database.path.parent if self.database.path is not None else None
        self.seal = await trio.to_thread.run_sync(load_seal, directory)
        wanted = self.config.responses.keep == "disk"
        await self.response_files.start(self.responses, self.seal, trio.current_time(), wanted=wanted)
        await self.background.load()
        self.clients = await ClientKeys.load(self.database, limits_of(self.config), self._loaded.secrets.api_keys)
        await self.ledger.load_today()
        await self.ledger.tell_spent(self.clients.book.spending)
        connect(self.notifications, self.ring, self.clients.book.spending)
        try:
            async with trio.open_nursery() as nursery:
                for task, name in (
                    (memory.run, "the memory of the key ring"),
                    (self.clients.run, "the totals of the clients"),
                    (self.sessions.run, "the totals of the sessions"),
                    (self.ledger.run, "the usage"),
                    (self.audit.run, "the audit"),
                    (self.response_files.run, "the files of kept responses"),
                    (self.notifications.run, "the notifications"),
                    (partial(watch, self), "the watch over what people are told of"),
                    (self.metrics.watch_loop, "the lag of the event loop"),
                ):
                    nursery.start_soon(supervised, task, name)
                await nursery.start(self.pool.run)
                timing = Timing(hold=self.config.keys.hold_seconds, request=self.config.limits.request_seconds)
                self.questions = Questions(self.pool, self.ring, timing, time.time, nursery)
                try:
                    self.take_cli(await self.learn(self.binary, self._loaded))
                except CliError:
                    self.notifications.tell(of_cli(time.time()))
                    raise
                self.change(DaemonEvent.STARTED)
                if problem := self.problem():
                    log_event(log, logging.WARNING, "no request can be answered yet", problem=problem)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.scratch.remove()

    @property
    def binary(self) -> Path:
        """The CLI in use."""
        return self.cli.binary

    @property
    def claude_version(self) -> str:
        """Of the CLI in use; "" until it was asked."""
        return self.cli.version

    def change(self, event: DaemonEvent) -> None:
        """Take an event of the daemon's state table."""
        self.state = after(TRANSITIONS, self.state, event)
        if self.state is DaemonState.DRAINING:
            self.draining.set()

    def launch(self) -> Launch:
        """How a new CLI process is started, with the configuration as it is now."""
        if self.cli.client_log and self.pool.roster.starts.failed:
            self.cli = self.cli.without_client_log()
        return self._launch_of(self.cli)

    def _launch_of(self, cli: KnownCli) -> Launch:
        home = self.scratch.next()
        keys = len(self.ring) > 0
        cli_env = self._cli_env()
        bare = cli_launch.uses_bare(keys_configured=keys, env=cli_env)
        seconds = self.config.workers.parked_seconds + TOOL_GRACE_SECONDS
        # With its own login, and so without --bare, the CLI has an event for what is looked for in that log.
        client_log = bare and cli.client_log
        whole = self._carries_whole(cli)
        env = cli_launch.environment(
            cli_env, home=home, keys_configured=keys, tool_seconds=seconds, client_log=client_log
        )
        settings = None if keys else self.login.write_settings(self.scratch.root)
        line = cli_launch.argv(cli.binary, bare=bare, client_log=client_log, whole=whole, settings=settings)
        return Launch(line, env, home, warms_up=keys, whole=whole, goes_back=cli.goes_back)

    def _carries_whole(self, cli: KnownCli | None = None) -> bool:
        """Whether requests go in whole. Under the CLI's own login what it says of a conversation stays its own."""
        bare = cli_launch.uses_bare(keys_configured=len(self.ring) > 0, env=self._cli_env())
        return bare and (cli or self.cli).whole and self.config.workers.carrier == "auto"

    def configure_pool(self) -> None:
        """Bring the pool to the configuration and the keys as they are now."""
        whole = self._carries_whole()
        self.pool.configure(self.config.workers, self.config.limits)
        self.pool.carry(whole=whole, plain_system=whole and self.config.claude.system == "plain")

    async def learn(self, binary: Path, loaded: Loaded) -> KnownCli:
        """Ask a CLI what it can do. The one in use goes on meanwhile. Raises CliError, and ConfigError for a
        configuration that counts on what it does not offer."""
        cli = self.cli
        if binary != cli.binary or not cli.version:
            cli = await learn(KnownCli(binary), self._launch_of, self._probed)
        self.check_models(loaded, cli)
        return cli

    def take_cli(self, cli: KnownCli) -> None:
        """Start new processes of this one; those that are busy end on theirs."""
        other = cli.binary != self.binary
        self.cli = cli
        self.configure_pool()
        if other:
            self.pool.renew()
        self.offer_models()

    async def _probed(self, launch: Launch) -> Found:
        path = contract.state_directory(self.env) / "catalogue.json"
        found = await trio.to_thread.run_sync(read_kept, path, launch)
        if found is None:
            found = await probe(launch, trio.current_time)
            await trio.to_thread.run_sync(keep, path, launch, found)
        return found

    def offer_models(self) -> None:
        """List the CLI's models and the configured ones."""
        self._models = self._offered(self.config, self.cli)

    def _offered(self, config: Config, cli: KnownCli) -> dict[str, Model]:
        claude = config.claude
        return offered(cli.initialized.models, (*claude.models, claude.default_model), claude.aliases)

    def check_models(self, loaded: Loaded, cli: KnownCli) -> None:
        """Raise ConfigError for a configuration that counts on models that there are not."""
        models, fallback = self._offered(loaded.config, cli), loaded.config.claude.fallback
        unknown = strangers(fallback, lambda name: name in models or long_context(name, models) is not None)
        if unknown:
            text = no_such_model(unknown[0], models).removeprefix("cannot find the model ")
            raise ConfigError(*loaded.origin("claude.fallback"), f"names a model that is not offered, {text}")

    # -- requests -----------------------------------------------------------------------------------------------------

    def needs_key(self) -> bool:
        """Whether requests have to bring a client key."""
        return auth_required(self.config, self.binds)

    def begin_request(self) -> Callable[[], None]:
        """Count a request; call what it returns at its end."""
        self.total += 1
        self.active += 1

        def end() -> None:
            self.active -= 1

        return end

    def refused(self, error: GatewayError) -> None:
        """Count an answer that is an error, by its code."""
        code = error.code or "error"
        self.failed[code] = self.failed.get(code, 0) + 1

    def plan(self, wanted: ChatRequest, client: Client) -> Plan:
        """Plan a chat request of this client. Raises ModelNotFound and the CallerErrors of the translation."""
        wanted = self._with_search(wanted, client)
        return self._planned(wanted.model, client, lambda model: make_plan(wanted, model, client.name, client.owner))

    def _with_search(self, wanted: ChatRequest, client: Client) -> ChatRequest:
        """The request without a search that was only offered and cannot be made. Raises CallerError for another."""
        search = wanted.web_search
        if search is None:
            return wanted
        try:
            check_use(WEB_SEARCH, self.server_tools(client), search.param)
            if not self._carries_whole():
                cannot_honour(search.param, "the Claude Code CLI, whose login serves, has no place for a search")
        except CallerError:
            if not search.offered:
                raise
            return msgspec.structs.replace(wanted, web_search=None, left_aside=("tools.web_search",))
        return wanted

    def plan_messages(self, wanted: MessagesRequest, client: Client) -> Plan:
        """Plan a request of the Messages API. Raises the same, and PermissionDenied for a tool that costs."""
        check_allowed(wanted.tools, self.server_tools(client))
        whole = self._carries_whole()
        plain = whole and self.config.claude.system == "plain"

        def make(model: Model) -> Plan:
            return messages_plan(wanted, model, client.name, client.owner, whole=whole, plain_system=plain)

        return self._planned(wanted.model, client, make)

    def server_tools(self, client: Client) -> frozenset[str]:
        """The upstream's own tools that it may use: those of its key; without one of ours, the configured ones."""
        own_key = client.digest and not client.configured
        return frozenset(client.server_tools if own_key else self.config.claude.server_tools)

    def _planned(self, name: str, client: Client, make: Callable[[Model], Plan]) -> Plan:
        """The plan for the model of this name, and for those that stand in for it and that this client may use."""
        model = self.model(name, client)
        others = (self._models.get(other) for other in stand_ins(model, self.config.claude.fallback))
        return with_fallbacks(make, model, [other for other in others if other and client.allows(other.id)])

    def model(self, name: str, client: Client) -> Model:
        """The model of this name. Raises ModelNotFound, also for one that this client may not use."""
        model = self._models.get(name) or long_context(name, self._models)
        if model is None or not (client.allows(name) or client.allows(name.removesuffix(LONG_CONTEXT))):
            raise ModelNotFound(no_such_model(name, filter(client.allows, self._models)))
        return model

    def answered(self, question: Question) -> None:
        """Count a complete answer to its key."""
        finished = question.answer.finished
        if finished is not None:
            self.questions.answered(question, finished)

    def model_infos(self, client: Client) -> list[ModelInfo]:
        """The models that this client may use, in the order in which they are listed."""
        return [self._info(model) for model in self._models.values() if client.allows(model.id)]

    def model_info(self, name: str, client: Client) -> ModelInfo:
        """One of them. Raises ModelNotFound."""
        return self._info(self.model(name, client))

    def _info(self, model: Model) -> ModelInfo:
        return ModelInfo(
            id=model.id,
            created=model.created,
            owned_by=f"anthropic-claude-{self.claude_version}",
            display_name=model.display_name,
            description=model.description,
            effort_levels=model.efforts,
        )

    # -- status -------------------------------------------------------------------------------------------------------

    def problem(self) -> str:
        """Why a request could not be answered now; "" when it could."""
        if self.state is not DaemonState.READY:
            return str(self.state.value)
        if self.pool.roster.starts.hopeless(trio.current_time()):
            words = self.pool.roster.last_words
            return "the Claude Code CLI does not start" + (f": {words}" if words else "")
        return self._no_credentials()

    def unready(self) -> str:
        """Why no new request should be sent here, for /readyz; "" when one may. Drained, those that come are served."""
        return self.problem() or ("draining by the operator" if self.drained_since is not None else "")

    def drain(self) -> bool:
        """Be not ready, and serve all the same, until `undrain` or a restart; whether that is new."""
        new = self.drained_since is None
        if new:
            self.drained_since = time.time()
        return new

    def undrain(self) -> bool:
        """Be ready again; whether that is new."""
        new = self.drained_since is not None
        self.drained_since = None
        return new

    def _no_credentials(self) -> str:
        dead = self.ring.dead(time.time(), self._default_model())
        if len(self.ring):
            return _DEAD.get(dead, "") if dead else ""
        if dead:
            return _LOGIN_DEAD.get(dead, "")
        return "" if self.login.found else _NO_LOGIN

    def cli_fails(self) -> bool:
        """Whether processes of the CLI do not start any more."""
        return self.pool.roster.starts.failed >= MAX_FAILED_STARTS

    def dead_login(self) -> str:
        """The login that the upstream refuses, where there are no keys; "" if there is none such."""
        return "" if len(self.ring) or not self.ring.dead(time.time(), None) else self.login.name

    def _default_model(self) -> str | None:
        model = self._models.get(self.config.claude.default_model)
        return model.cli_name if model else None

    def look_at_login(self) -> None:
        """Notice another login of the CLI: what was known of the last one does not hold for it."""
        before = self.login.settings
        if not self.login.changed():
            return
        self.ring.forget_login()
        if before != self.login.settings and not len(self.ring):
            self.configure_pool()
            self.pool.renew()

    def _cli_env(self) -> Mapping[str, str]:
        return self.env if len(self.ring) else self.login.env

    @property
    def outward_state(self) -> str:
        """`state`, or, while that is "ready", "degraded" if no request could be answered and "draining" if drained."""
        if self.state is not DaemonState.READY:
            return str(self.state.value)
        return "degraded" if self.problem() else "ready" if self.drained_since is None else "draining"

    def active_sessions(self) -> int:
        """Conversations that are kept in a worker or under way."""
        counts = self.pool.counts()
        return counts["busy"] + counts["idle"] + counts["parked"]

    def status(self) -> dict[str, Any]:
        """What `claudegwctl status` shows. No token, no content."""
        now = time.time()
        return {
            "version": self.version,
            "claude_version": self.claude_version,
            "claude_binary": str(self.binary),
            "pid": os.getpid(),
            "uptime_seconds": round(now - self.started_at, 1),
            "state": self.outward_state,
            "problem": self.problem() or self.database.problem,
            "drained_since": self.drained_since,
            "binds": self.binds,
            "keys": self.ring.snapshot(now),
            "keys_origin": self.keys_source.origin,
            "login": None if len(self.ring) else self.login.name,
            "login_failure": self.ring.login_failure(now),
            "usage": self.ledger.today(),
            "windows": self.ring.windows.rows(now),
            "state_file": str(self.database.path) if self.database.path else None,
            "state_problem": self.database.problem or None,
            "content_logged": self.config.log.content,
            "workers": self.pool.counts(),
            "workers_had": dict(self.pool.had),
            "requests": {
                "active": self.active,
                "queued": self.pool.queued,
                "total": self.total,
                "failed": sum(self.failed.values()),
                "failed_by_code": dict(self.failed),
            },
        }

    async def models(self) -> list[dict[str, Any]]:
        """For the control face: id, what the CLI is told, what it can do."""
        return [
            {
                "id": model.id,
                "cli_name": model.cli_name,
                "display_name": model.display_name,
                "efforts": list(model.efforts),
                "default": model.id == self.config.claude.default_model,
            }
            for model in self._models.values()
        ]

    def requests(self) -> list[dict[str, Any]]:
        """For the control face: a dict for each request that asks a model, the oldest first. No content."""
        now = trio.current_time()
        return [running.row(now) for running in sorted(self.running_requests, key=lambda running: running.started)]

    def workers(self) -> list[dict[str, Any]]:
        """For the control face: a dict for each worker."""
        return self.pool.describe()
