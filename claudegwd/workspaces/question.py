"""One question in a workspace: a CLI process of its own works on it with Claude's tools, and the policy is asked first.

Read like any other question. The process ends with the answer, and everything that it has started with it.
"""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli.events import EventError
from claudegwd.claude_cli.tool_lines import ToolAsked
from claudegwd.config.schema import WorkspaceConfig
from claudegwd.keys.failures import error_for
from claudegwd.limits.clients import Client
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError, GatewayError, InternalError
from claudegwd.redact import redact
from claudegwd.translate.answer.outputs import Failed, Finished, Output, Started
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.process.process import CliProcess
from claudegwd.workers.process.scratch import remove
from claudegwd.workers.question.question import Question
from claudegwd.workers.worker.output_channel import MAX_UNREAD_BATCHES, Batch
from claudegwd.workspaces.actions import one_line, shown
from claudegwd.workspaces.grants import Grant
from claudegwd.workspaces.launch import PreparedProcess, policy_of, prepare
from claudegwd.workspaces.policy import Behavior, Policy, decide, paths_named
from claudegwd.workspaces.transcript import system_prompt, transcript
from claudegwd.workspaces.turn import Acknowledged, Told, WorkspaceTurn

if TYPE_CHECKING:
    from claudegwd.workspaces.workspaces import Workspaces

# How often a silent turn is told to its reader, as everywhere.
HEARTBEAT_SECONDS = 15.0
# A CLI starts in half a second, and in its sandbox in little more; then it gives its listener away at once.
LISTENER_SECONDS = 30.0
# For a client to take that its answer was stopped at the bound; one that does not read does not keep its place.
LAST_WORD_SECONDS = 5.0
# What a person sees of a call before saying yes: all of most commands.
APPROVAL_CHARACTERS = 2000


class WorkspaceQuestion(Question):
    """Made by `Workspaces.ask`."""

    def __init__(
        self,
        home: "Workspaces",
        plan: Plan,
        request_id: str,
        workspace: WorkspaceConfig,
        client: Client,
        *,
        whole: bool,
    ) -> None:
        super().__init__(home.questions, plan, request_id, whole=whole)
        self.how = "cold"
        self._home = home
        self._workspace = workspace
        self._client = client
        self._policy: Policy = policy_of(workspace)
        self._turn = WorkspaceTurn(self._policy.directory)
        self._grant = Grant(
            client, plan.model.workspace, plan.model.cli_name, workspace.max_turns, workspace.max_usd,
            searches="WebSearch" in workspace.tools,
        )  # fmt: skip
        self._process: CliProcess | None = None
        self._pieces = transcript(plan)
        self._send, self._batches = trio.open_memory_channel[Batch](MAX_UNREAD_BATCHES)
        self._done = trio.Event()
        self._nursery: trio.Nursery

    @property
    def bound(self) -> str:
        """Which of the workspace's bounds ended the answer; "" for none."""
        return self._turn.bound

    @property
    def worker_pid(self) -> int | None:
        """The process that works on it."""
        return self._process.pid if self._process is not None else None

    @property
    def lacks_model(self) -> bool:
        """No other model works on in its place."""
        return False

    async def next(self) -> Batch | None:
        """As for every question."""
        with trio.move_on_after(HEARTBEAT_SECONDS):
            try:
                return await self._batches.receive()
            except trio.EndOfChannel:
                if self.error is not None:
                    raise self.error from None
                return None
        return ()

    def close(self) -> None:
        """End it, and with it all that runs for it, now."""
        self._closed = True
        if self._process is not None and not self._turn.over:
            self._process.kill()
        self._scope.cancel()

    async def prepare(self) -> None:
        """The whole of it, as a task of its own."""
        try:
            with self._scope:
                await self._work()
        except GatewayError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the boundary of a turn: log once, answer 500
            log_event(log, logging.ERROR, "a turn in a workspace failed unexpectedly", cause=error,
                      request_id=self.request_id)  # fmt: skip
            self.error = InternalError("cannot answer: an error of the gateway's own; its log has the request id")
        finally:
            if self._answer.finished is None and self.error is None:
                self.error = InternalError("cannot answer: the request was closed")
            self._send.close()
            self._ready.set()

    # -- the process --------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        workspace, home = self._workspace, self._home
        await home.check(workspace)
        directory = home.cli.scratch.next()
        try:
            with home.place(), home.grants.open(self._grant) as token:
                try:
                    started = await trio.to_thread.run_sync(
                        prepare, workspace, self._policy, home.cli.cli.binary, directory, home.env, token
                    )
                except (OSError, ValueError, KeyError, TypeError) as error:
                    raise CliError(f"cannot start in this workspace: {type(error).__name__}; see its `mcp`") from None
                with started.channel, started.theirs:
                    await self._until_done(started)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove, directory)

    async def _until_done(self, started: PreparedProcess) -> None:
        self._process = process = CliProcess(started.launch, self._lines)
        settings = {"model": self.plan.settings.model, "effortLevel": self.plan.settings.effort}
        process.send(
            commands.initialize("w-1", system=system_prompt(self.plan, started.instructions),
                                appended=True)
            + commands.settings("w-2", settings) + self._pieces.pop(0)
        )  # fmt: skip
        self.asked_at = trio.current_time()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._run, process)
            self._nursery.start_soon(self._serve, started)
            with trio.move_on_after(self._workspace.seconds) as bound:
                await self._done.wait()
            if bound.cancelled_caught:
                process.kill()
                said = f"stopped: the workspace's seconds ({self._workspace.seconds:g}) are over"
                with trio.move_on_after(LAST_WORD_SECONDS):
                    await self._deliver(self._turn.stopped("seconds", said))
            process.end()
            if self._turn.over:
                self._send.close()  # the reader need not wait for what is cleaned up
            self._nursery.cancel_scope.cancel()

    async def _run(self, process: CliProcess) -> None:
        try:
            await process.run()
        except OSError as error:
            self.error = CliError(f"cannot start the Claude Code CLI in this workspace: {error.strerror}")
        if not self._turn.over and self.error is None and not process.was_asked_to_end:
            words = f": {process.last_words}" if process.last_words else ""
            self.error = CliError(f"cannot go on: the Claude Code CLI has ended{words}")
        self._done.set()

    async def _serve(self, started: PreparedProcess) -> None:
        """Answer what the process asks upstream: from its own listener, which nobody else can reach."""
        listener = None
        with trio.move_on_after(LISTENER_SECONDS) as waiting:
            await trio.lowlevel.wait_readable(started.channel)
            listener = self._home.listener_of(started.channel)
            started.theirs.close()
        if waiting.cancelled_caught:
            self.error = CliError("cannot start in this workspace: its process gave no sign of life")
            self._done.set()
        if listener is not None:
            with listener:
                await self._home.serve(listener)

    # -- what it says -------------------------------------------------------------------------------------------------

    async def _lines(self, lines: Sequence[bytes]) -> None:
        outputs: list[Output] = []
        for line in lines:
            try:
                told = self._turn.feed(line)
            except EventError as error:
                self.error = CliError(str(error))
                self._done.set()
                return
            for each in told:
                self._take(each, outputs)
        await self._deliver(outputs)

    def _take(self, told: Told, outputs: list[Output]) -> None:
        match told:
            case ToolAsked():
                self._nursery.start_soon(self._decide, told)
            case Acknowledged():
                if self._pieces:
                    self._held_process().send(self._pieces.pop(0))
            case Failed(kind=kind, detail=detail):
                # What we told the CLI ourselves is the better word: of it comes what it says.
                self.error = self._grant.error or error_for(kind, detail=redact(detail))
                self._done.set()
            case _:
                outputs.append(told)

    async def _deliver(self, outputs: Sequence[Output]) -> None:
        if not outputs:
            return
        self._answer.add(outputs)
        finished = isinstance(outputs[-1], Finished)
        if self._ready.is_set():
            await self._send.send(outputs)
        else:
            self._first.extend(outputs)
            if not all(isinstance(output, Started) for output in outputs):
                self.first_at = self.spoke_at = trio.current_time()
                self._ready.set()
        if finished:
            self._done.set()

    def _held_process(self) -> CliProcess:
        assert self._process is not None  # noqa: S101 - for the type checker: its own lines are read
        return self._process

    # -- what it may do -----------------------------------------------------------------------------------------------

    async def _decide(self, asked: ToolAsked) -> None:
        reason = await self._refusal(asked)
        if reason is None:
            self._held_process().send(commands.allow_tool(asked.request_id, asked.given))
            return
        self._turn.denied(asked, reason)
        self._home.note(
            "denied in a workspace", workspace=self.plan.model.workspace, client=self._client.name,
            action=redact(shown(asked.tool, asked.given, self._policy.directory)), reason=one_line(reason),
        )  # fmt: skip
        self._held_process().send(commands.deny_tool(asked.request_id, f"Not allowed in this workspace: {reason}."))

    async def _refusal(self, asked: ToolAsked) -> str | None:
        """Why it may not be done; None if it may."""
        directory = self._policy.directory
        named = paths_named(asked.tool, asked.given) or ()
        resolved = _resolved(directory, named)
        verdict = decide(self._policy, asked.tool, asked.given, resolved)
        if verdict.behavior is Behavior.ALLOW:
            return None
        return verdict.reason if verdict.behavior is Behavior.DENY else await self._ask_person(asked, verdict.reason)

    async def _ask_person(self, asked: ToolAsked, why: str) -> str | None:
        """Ask a person."""
        exact = repr(sorted(asked.given.items(), key=lambda item: item[0]))
        approval = self._home.approvals.begin(
            workspace=self.plan.model.workspace, directory=self._policy.directory, client=self._client.name,
            tool=asked.tool, why=why, exact=exact,
            shown=redact(shown(asked.tool, asked.given, self._policy.directory, characters=APPROVAL_CHARACTERS)),
        )  # fmt: skip
        if approval is None:
            return None
        await self._deliver(
            self._turn.note(f"waiting for a person to approve {approval.id}: {one_line(approval.shown)}")
        )
        return None if await self._home.approvals.answer(approval, exact) else approval.reason


def _resolved(directory: str, paths: Sequence[str]) -> dict[str, str]:
    """Where they lead, symbolic links followed. It looks at names in a directory that is in memory: microseconds."""
    return {path: os.path.realpath(os.path.join(directory, path)) for path in paths}  # noqa: PTH118 - "" and links
