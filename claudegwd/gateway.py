"""The gateway: what the two faces share. It holds the parts together and decides little itself."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import trio

from claudegwd import contract
from claudegwd.claude_cli import launch as cli_launch
from claudegwd.config.diff import diff, in_effect
from claudegwd.config.load import Loaded, load
from claudegwd.config.schema import Config
from claudegwd.keys.file import KeysSource, load_keys
from claudegwd.keys.ring import KeyRing
from claudegwd.logs import LogHandler, LogRing, log
from claudegwd.logs import event as log_event
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat_request import ChatRequest
from claudegwd.openai_api.errors import GatewayError, ModelNotFound
from claudegwd.openai_api.models import ModelInfo
from claudegwd.translate.catalogue import Initialized, Model, offered
from claudegwd.translate.plan import Plan, make_plan
from claudegwd.workers.asking import Asking, Desk, Timing
from claudegwd.workers.binary import find_binary
from claudegwd.workers.catalogue_probe import keep, probe, read_kept
from claudegwd.workers.pool import MAX_FAILED_STARTS, Pool
from claudegwd.workers.process import Launch
from claudegwd.workers.scratch import Scratch

# Above parked_seconds, so that the CLI never gives up a tool call before we do.
TOOL_GRACE_SECONDS = 60.0


def own_version() -> str:
    """Of the installed package."""
    try:
        return version("claudegwd")
    except PackageNotFoundError:
        return "0+unknown"


class Gateway:
    """One daemon's state. Made by the daemon; `run` it in a nursery, then hand it to the two faces."""

    def __init__(
        self,
        loaded: Loaded,
        keys: KeysSource,
        logs: LogRing,
        handler: LogHandler,
        env: Mapping[str, str],
        reload_from: Path | None,
    ) -> None:
        self.loaded = loaded
        self.config = loaded.config
        self.keys_source = keys
        self.logs = logs
        self.version = own_version()
        self.claude_version = ""
        self.generation = 1
        self.last_reload: dict[str, Any] | None = None
        self.started_at = time.time()
        self.state = "starting"
        self.binds: list[str] = []
        self.bounds = Bounds()
        self.env = env
        self.active = 0
        self.total = 0
        self.failed: dict[str, int] = {}
        self.ring = KeyRing(keys.keys, cooldown_seconds=self.config.keys.cooldown_seconds)
        self.scratch = Scratch.make()
        self.binary = find_binary(self.config.claude.binary, env)
        self.pool = Pool(self.launch, self.config.workers, self.config.limits, trio.current_time)
        self.desk: Desk
        self._handler = handler
        self._reload_from = reload_from
        self._initialized = Initialized()
        self._models: dict[str, Model] = {}

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers and the questions. Reports started when a request could be answered; raises CliError before
        that when the CLI does not start."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.pool.run)
                timing = Timing(hold=self.config.keys.hold_seconds, request=self.config.limits.request_seconds)
                self.desk = Desk(self.pool, self.ring, timing, time.time, nursery)
                await self._learn_models()
                self.state = "ready"
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.scratch.remove()

    def launch(self) -> Launch:
        """How a new CLI process is started, with the configuration as it is now."""
        home = self.scratch.next()
        keys = len(self.ring) > 0
        bare = cli_launch.uses_bare(keys_configured=keys, env=self.env)
        seconds = self.config.workers.parked_seconds + TOOL_GRACE_SECONDS
        env = cli_launch.environment(self.env, home=home, keys_configured=keys, tool_seconds=seconds)
        return Launch(cli_launch.argv(self.binary, bare=bare), env, home)

    async def _learn_models(self) -> None:
        launch = self.launch()
        path = contract.state_directory(self.env) / "catalogue.json"
        found = await trio.to_thread.run_sync(read_kept, path, launch)
        if found is None:
            found = await probe(launch, trio.current_time)
            await trio.to_thread.run_sync(keep, path, launch, found)
        self._initialized = found
        self.claude_version = found.claude_code_version
        self._offer()

    def _offer(self) -> None:
        claude = self.config.claude
        self._models = offered(self._initialized.models, (*claude.models, claude.default_model), claude.aliases)

    # -- requests -----------------------------------------------------------------------------------------------------

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

    def plan(self, wanted: ChatRequest, client: str) -> Plan:
        """Plan a chat request of this client. Raises ModelNotFound and the CallerErrors of the translation."""
        return make_plan(wanted, self.model(wanted.model), client)

    def model(self, name: str) -> Model:
        """The model of this name; "default" and "" mean the configured one. Raises ModelNotFound."""
        model = self._models.get(name)
        if model is None:
            raise ModelNotFound("cannot find this model: GET /v1/models lists those that are offered")
        return model

    def answered(self, asking: Asking) -> None:
        """Count a complete answer."""
        finished = asking.answer.finished
        if finished is not None:
            self.desk.answered(asking, finished)

    def model_infos(self, client: str) -> list[ModelInfo]:
        """The models that this client may use, in the order in which they are listed."""
        return [self._info(model) for model in self._models.values()]

    def model_info(self, name: str, client: str) -> ModelInfo:
        """One of them. Raises ModelNotFound."""
        return self._info(self.model(name))

    def _info(self, model: Model) -> ModelInfo:
        return ModelInfo(
            id=model.id, created=model.created, owned_by=f"anthropic-claude-{self.claude_version}",
            display_name=model.display_name, description=model.description, effort_levels=model.efforts,
        )  # fmt: skip

    # -- status -------------------------------------------------------------------------------------------------------

    def problem(self) -> str:
        """Why a request could not be answered now, for /readyz; "" when it could."""
        if self.state != "ready":
            return self.state
        if self.pool.starts_failed >= MAX_FAILED_STARTS:
            return "the Claude Code CLI does not start"
        return ""

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
            "state": self.state,
            "problem": self.problem(),
            "binds": self.binds,
            "keys": self.ring.snapshot(now),
            "keys_origin": self.keys_source.origin,
            "workers": self.pool.counts(),
            "workers_had": dict(self.pool.had),
            "requests": {
                "active": self.active,
                "queued": self.pool.queued,
                "total": self.total,
                "failed": sum(self.failed.values()),
                "failed_by_code": dict(self.failed),
            },
            "config_generation": self.generation,
            "last_reload": self.last_reload,
        }

    async def models(self) -> list[dict[str, Any]]:
        """For the control face: id, what the CLI is told, what it can do."""
        return [
            {
                "id": model.id,
                "cli_name": model.cli_name,
                "display_name": model.display_name,
                "efforts": list(model.efforts),
            }
            for model in self._models.values()
        ]

    def workers(self) -> list[dict[str, Any]]:
        """For the control face: a dict for each worker."""
        return self.pool.describe()

    # -- change -------------------------------------------------------------------------------------------------------

    async def reload(self) -> dict[str, Any]:
        """Read the configuration and the keys again and take what is new at once. Raises ConfigError or KeysError, and
        then nothing has changed. Answers what changed, and what needs a restart."""
        loaded = await trio.to_thread.run_sync(load, self._reload_from, self.env)
        path = contract.keys_path(self.env, loaded.path, loaded.config.keys.file)
        keys = await trio.to_thread.run_sync(lambda: load_keys(path, self.env))
        changes = diff(self.config, loaded.config)
        self._take(in_effect(self.config, loaded.config), keys)
        self.loaded = loaded
        self.generation += 1
        self.last_reload = {"at": time.time(), "ok": True, "changes": [change.as_dict() for change in changes]}
        log_event(log, logging.INFO, "the configuration was reloaded", generation=self.generation, changed=len(changes))
        return {"generation": self.generation, "changes": [change.as_dict() for change in changes]}

    def _take(self, config: Config, keys: KeysSource) -> None:
        had_keys = len(self.ring) > 0
        self.config = config
        self.keys_source = keys
        self.ring.cooldown_seconds = config.keys.cooldown_seconds
        self.ring.replace(keys.keys, time.time())
        self.pool.configure(config.workers, config.limits)
        self.desk.configure(config.limits, config.keys.hold_seconds)
        self._handler.configure(config.log)
        binary = find_binary(config.claude.binary, self.env)
        if binary != self.binary or had_keys != (len(self.ring) > 0):
            self.binary = binary
            self.pool.renew()
        self._offer()
