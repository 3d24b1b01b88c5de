"""The workspaces of a running gateway: what all questions in them share."""

import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
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
from claudegwd.workspaces.cli_session import CliSession
from claudegwd.workspaces.continuation import Continuation
from claudegwd.workspaces.grants import Grants
from claudegwd.workspaces.kept_conversations import KeptConversation, KeptConversations, rules_of
from claudegwd.workspaces.launch import PreparedProcess, policy_of, prepare
from claudegwd.workspaces.overview import overview
from claudegwd.workspaces.policy import Policy
from claudegwd.workspaces.probe import UNTRIED, probe
from claudegwd.workspaces.question import WorkspaceQuestion
from claudegwd.workspaces.session import WorkspaceSession

# Processes in workspaces at once: each is a CLI of some 250 MB plus what it runs, and also asks through a worker. One
# that waits for its client gives up its slot.
MAX_AT_ONCE = 8
# A few small files; but the directory's CLAUDE.md may be on a remote disk.
PREPARE_SECONDS = 30.0
# A CLI starts in half a second, and in its sandbox in little more; then it hands over its listener at once.
LISTENER_SECONDS = 30.0
# The CLI waits this much longer for a tool than we do, so that it never gives up first.
TOOL_GRACE_SECONDS = 60.0
# A process's report of what its sandbox lacks, a handful of sentences.
MAX_SAID_BYTES = 4096


class WorkersLauncher(Protocol):
    """What starts the other processes of the CLI."""

    scratch: Scratch

    @property
    def cli(self) -> KnownCli:
        """The CLI in use."""
        ...


class Workspaces:
    """`serve` is set before the first question; `note` writes to the audit log."""

    serve: Callable[[socket.socket], Awaitable[None]]

    def __init__(
        self, questions: Questions, cli: WorkersLauncher, env: Mapping[str, str],
        kept: KeptConversations, note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:  # fmt: skip
        self.questions = questions
        self.cli = cli
        self.env = env
        self.kept = kept
        kept.may_stay = self._may_stay
        self.grants = Grants()
        self.approvals = Approvals()
        self.at_work = 0  # processes, including those that wait
        self._waiting: dict[tuple[str, bytes], WorkspaceSession] = {}  # by workspace and conversation, oldest first
        self._configured: Mapping[str, WorkspaceConfig] = {}
        self._policies: dict[WorkspaceConfig, Policy] = {}
        self._note = note
        # Inside this context, revoking the client ends what was begun for it.
        self.under_way: Callable[[Client, Callable[[], None]], AbstractContextManager[None]] = lambda *_: nullcontext()
        self.client: Callable[[str], Client | None] = lambda _: None  # by name
        self.tries = probe  # determines what is not confined; in a thread
        self._missing: tuple[str, ...] | None = None

    def ask(
        self, plan: Plan, request_id: str, workspace: WorkspaceConfig, client: Client, *, route: str, whole: bool
    ) -> Question:
        """Begin or continue; the caller reads the answer and closes it. `route`: where it was asked."""
        question = WorkspaceQuestion(self.questions, plan, request_id, client, route=route, whole=whole)
        waiting = self._take(plan, workspace)
        if waiting is not None:
            question.session = waiting
            waiting.resume(question)
            return question
        question.how, question.session = "cold", WorkspaceSession(self, workspace, question)
        self.questions.spawn(question.session.run)
        return question

    @property
    def parked_seconds(self) -> float:
        """How long a process waits for the result of one of the client's tools."""
        return self.questions.pool.workers_config.parked_seconds

    @property
    def idle_seconds(self) -> float:
        """How long one waits for the next message of its conversation."""
        return self.questions.pool.workers_config.idle_seconds

    def keep(self, session: WorkspaceSession) -> None:
        """Let it wait for its client."""
        before = self._waiting.pop((session.name, session.digest), None)
        if before is not None:
            before.stop()
        self._waiting[session.name, session.digest] = session

    def end_waiting(self, session: WorkspaceSession) -> None:
        """End it if it waits: its client was revoked. A running answer is ended by its reader, who says why."""
        if self._waiting.get((session.name, session.digest)) is session:
            session.stop()

    def forget(self, session: WorkspaceSession) -> None:
        """It no longer waits."""
        if self._waiting.get((session.name, session.digest)) is session:
            del self._waiting[session.name, session.digest]

    def configure(self, workspaces: Mapping[str, WorkspaceConfig]) -> None:
        """End the waiting processes of workspaces that changed."""
        self._configured = workspaces
        self._policies = {each: policy for each, policy in self._policies.items() if each in workspaces.values()}
        for session in list(self._waiting.values()):
            if not self.is_current(session):
                session.stop()

    def give_up_one(self) -> bool:
        """End the idle process, else the parked one, that has waited longest; False if there is none."""
        session = self._least_needed()
        if session is not None:
            self.forget(session)
            session.stop()
        return session is not None

    def _least_needed(self) -> WorkspaceSession | None:
        return min(self._waiting.values(), key=lambda session: session.is_parked, default=None)

    def is_current(self, session: WorkspaceSession) -> bool:
        """Whether its workspace is still configured as it was when it began."""
        return session.workspace == self._configured.get(session.name)

    def _take(self, plan: Plan, workspace: WorkspaceConfig) -> WorkspaceSession | None:
        """The process that waits for exactly this request."""
        held = len(plan.entries) - 1
        if not held or (found := self._waiting.get((plan.model.workspace, plan.entries[held - 1].digest))) is None:
            return None
        self.forget(found)
        if found.is_ending or found.workspace != workspace or not found.fits(plan):
            found.stop()
            return None
        return found

    def policy(self, workspace: WorkspaceConfig) -> Policy:
        """Made once per configuration: the target of a link that is changed later was not checked."""
        found = self._policies.get(workspace)
        if found is None:
            found = self._policies[workspace] = policy_of(workspace)
        return found

    def continuation(self, workspace: WorkspaceConfig) -> Continuation:
        """For a new process."""
        return Continuation(self.kept, self._rules(workspace), wanted=workspace.sessions)

    def _rules(self, workspace: WorkspaceConfig) -> bytes:
        return rules_of(workspace, self.policy(workspace).directory)

    def _may_stay(self, kept: KeptConversation) -> bool:
        """Whether its workspace is unchanged, its client may still use it, and it was used recently enough."""
        workspace = self._configured.get(kept.workspace)
        if workspace is None or not workspace.sessions or self._rules(workspace) != kept.rules:
            return False
        now = time.time()
        if abs(now - kept.used) > workspace.session_seconds:
            return False
        if not kept.client:
            return workspace.anonymous
        client = self.client(kept.client)
        same = client is not None and client.owner == kept.owner and client.state(now) == "active"
        return same and kept.client in workspace.clients

    def note(self, what: str, **fields: Any) -> None:
        """Write to the audit log."""
        self._note(what, fields)

    async def learn(self, workspaces: Mapping[str, WorkspaceConfig]) -> None:
        """Determine where directories really are, and log what cannot be confined: at the start and after each
        reload."""
        await trio.to_thread.run_sync(lambda: [self.policy(each) for each in workspaces.values()])
        self._configured = workspaces
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
        """Note what the process of an answer lacked; the probe may have had it."""
        for lack in lacks:
            if self._missing is not None and lack not in self._missing:
                self._missing += (lack,)
                self._warn(lack)

    def _warn(self, lack: str) -> None:
        log_event(log, logging.WARNING, "workspaces are not fully confined", problem=lack)

    def unconfined(self, workspaces: Mapping[str, WorkspaceConfig]) -> list[str]:
        """What should be confined but is known not to be; for status."""
        wanted = any(workspace.sandbox != "off" for workspace in workspaces.values())
        return list(self._missing or ()) if wanted else []

    async def rows(self, config: Config) -> list[dict[str, Any]]:
        """A row for each workspace, for the control API."""
        missing = await self.missing() if config.workspaces else ()
        # Directories may be on a slow disk.
        rows = await trio.to_thread.run_sync(lambda: overview(config.workspaces, config.claude, missing))
        return [row | {"conversations": self.kept.total(row["name"])} for row in rows]

    async def check(self, workspace: WorkspaceConfig) -> None:
        """Raises CliError if no answer can be started."""
        missing = await self.missing()
        if workspace.sandbox == "required" and missing:
            raise CliError(f"cannot start this workspace without a sandbox: {missing[0]}", code="workspace_unavailable")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A slot for one process. Raises Overloaded."""
        while self.at_work >= MAX_AT_ONCE:
            if (least := self._least_needed()) is None:
                raise Overloaded("cannot start: too many answers are running in workspaces; try again later")
            least.stop()
            await least.ended.wait()
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    async def prepared(
        self, workspace: WorkspaceConfig, home: Path, token: str, session: CliSession
    ) -> PreparedProcess:
        """What a process is started with, written to `home`, its own directory. Raises CliError."""
        try:
            with trio.move_on_after(PREPARE_SECONDS):
                return await trio.to_thread.run_sync(
                    prepare, workspace, self.policy(workspace), self.cli.cli.binary, home, self.env, token,
                    self.parked_seconds + TOOL_GRACE_SECONDS, session, abandon_on_cancel=True,
                )  # fmt: skip
            raise CliError("cannot start here: a disk does not answer; try again")
        except (OSError, ValueError, KeyError, TypeError) as error:
            advice = "see the workspace's `mcp`" if workspace.mcp else "see whether the disk is full"
            raise CliError(f"cannot start here: {type(error).__name__}; {advice}") from None

    async def serve_from(self, started: PreparedProcess) -> bool:
        """Serve the process's upstream requests, on its own listener, which nobody else can reach. False if it hands
        over none; True once its process has ended."""
        listener = None
        with trio.move_on_after(LISTENER_SECONDS) as waiting:
            await trio.lowlevel.wait_readable(started.channel)
            listener = self._listener_of(started.channel)
            started.theirs.close()
        if listener is not None:
            with listener:
                await self.serve(listener)
        return not waiting.cancelled_caught

    def _listener_of(self, channel: socket.socket) -> socket.socket | None:
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
