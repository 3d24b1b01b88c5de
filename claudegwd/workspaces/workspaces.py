"""The workspaces of a running gateway: what is the same for all questions in them."""

import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import trio

from claudegwd.config.schema import Config, WorkspaceConfig
from claudegwd.limits.clients import Client
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError, Overloaded
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.cli.known_cli import KnownCli
from claudegwd.workers.process.scratch import Scratch
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import Questions
from claudegwd.workspaces.approvals import Approvals
from claudegwd.workspaces.grants import Grants
from claudegwd.workspaces.overview import overview
from claudegwd.workspaces.probe import UNTRIED, probe
from claudegwd.workspaces.question import WorkspaceQuestion

# Answers in workspaces at once: each is a CLI of some 250 MB and what it runs, and asks through a worker besides.
MAX_AT_ONCE = 8
# What a process says of what it lacks, a handful of sentences
MAX_SAID_BYTES = 4096


class WorkersLauncher(Protocol):
    """What starts the other processes of the CLI."""

    scratch: Scratch

    @property
    def cli(self) -> KnownCli:
        """The CLI in use."""
        ...

    def carries_whole(self) -> bool:
        """Whether requests go to the upstream whole."""
        ...


class Workspaces:
    """`serve` is given before the first question; `note` remembers for the audit."""

    serve: Callable[[socket.socket], Awaitable[None]]

    def __init__(
        self, questions: Questions, cli: WorkersLauncher, env: Mapping[str, str],
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:  # fmt: skip
        self.questions = questions
        self.cli = cli
        self.env = env
        self.grants = Grants()
        self.approvals = Approvals()
        self.at_work = 0  # answers under way
        self._note = note
        self.tries = probe  # finds out what is not confined; in a thread
        self._missing: tuple[str, ...] | None = None

    def ask(
        self, plan: Plan, request_id: str, workspace: WorkspaceConfig, client: Client, *, whole: bool = False
    ) -> Question:
        """Begin; the caller reads the answer and closes it."""
        question = WorkspaceQuestion(self, plan, request_id, workspace, client, whole=whole)
        self.questions.spawn(question.prepare)
        return question

    def note(self, what: str, **fields: Any) -> None:
        """For the audit."""
        self._note(what, fields)

    async def learn(self, workspaces: Mapping[str, WorkspaceConfig]) -> None:
        """Find out what cannot be confined, where it matters, and log it: at the start and after each reload."""
        if not workspaces:
            return
        before, self._missing = self._missing, None
        await self.missing()
        for lack in self.unconfined(workspaces):
            if lack not in (before or ()):
                self._warn(lack)

    async def missing(self) -> tuple[str, ...]:
        """What this machine cannot confine, in words for people."""
        if self._missing is None or self._missing == UNTRIED:
            self._missing = await trio.to_thread.run_sync(self.tries)
        return self._missing

    def saw(self, lacks: Sequence[str]) -> None:
        """What the process of an answer did without, which the trial may have had."""
        for lack in lacks:
            if self._missing is not None and lack not in self._missing:
                self._missing += (lack,)
                self._warn(lack)

    def _warn(self, lack: str) -> None:
        log_event(log, logging.WARNING, "workspaces are not confined as they should be", problem=lack)

    def unconfined(self, workspaces: Mapping[str, WorkspaceConfig]) -> list[str]:
        """What is known not to be confined where it should be; for status."""
        wanted = any(workspace.sandbox != "off" for workspace in workspaces.values())
        return list(self._missing or ()) if wanted else []

    async def rows(self, config: Config) -> list[dict[str, Any]]:
        """For the control face: a dict for each workspace."""
        missing = await self.missing() if config.workspaces else ()
        keys = self.cli.carries_whole()
        # Directories may lie on a disk that is far away.
        return await trio.to_thread.run_sync(lambda: overview(config.workspaces, config.claude, missing, keys=keys))

    async def check(self, workspace: WorkspaceConfig) -> None:
        """Raises CliError where no answer can be begun."""
        if not self.cli.carries_whole():
            raise CliError(
                "cannot work in a workspace with the CLI's own login, which is not handed to what runs there: add an "
                "upstream key (`claudegwctl keys add NAME`)",
                code="workspace_unavailable",
            )
        missing = await self.missing()
        if workspace.sandbox == "required" and missing:
            raise CliError(f"cannot start this workspace without a sandbox: {missing[0]}", code="workspace_unavailable")

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one answer. Raises Overloaded."""
        if self.at_work >= MAX_AT_ONCE:
            raise Overloaded("cannot begin: as many answers in workspaces are under way as may be; ask again later")
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    def listener_of(self, channel: socket.socket) -> socket.socket | None:
        """The listener that came through the channel; None if the process has ended instead."""
        try:
            said, descriptors, _, _ = socket.recv_fds(channel, MAX_SAID_BYTES, 1)
        except OSError:
            return None
        if not descriptors:
            return None
        self.saw(json.loads(said))
        listener = socket.socket(fileno=descriptors[0])
        listener.settimeout(0)
        return listener
