"""A CLI that works in a workspace with Claude's tools: one process, for an answer and those that continue from it.

A call of one of the client's tools ends an answer mid-turn. The process then waits, like that of a plain model, and the
request with the result continues in it. After an answer it stays idle for a while, unless something else runs beside
it, and the next message of the conversation continues there. Anything that runs beside it ends with it.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.claude_cli.tool_lines import ToolAsked
from claudegwd.config.schema import WorkspaceConfig
from claudegwd.keys.failures import error_for
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError, GatewayError, InternalError
from claudegwd.redact import redact
from claudegwd.translate.answer.outputs import Failed, Finished, Output
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.pool.conversations import fits_parked
from claudegwd.workers.process.process import CliProcess
from claudegwd.workers.process.scratch import remove
from claudegwd.workers.worker.client_tools import ClientTools
from claudegwd.workspaces.alone import works_alone
from claudegwd.workspaces.grants import Grant
from claudegwd.workspaces.launch import PreparedProcess
from claudegwd.workspaces.permissions import MAX_ASKED, Permissions
from claudegwd.workspaces.question import WorkspaceQuestion
from claudegwd.workspaces.transcript import digest_after, fits_ended, system_prompt, transcript
from claudegwd.workspaces.turn import Acknowledged, Told, Unasked, WorkspaceTurn, weight

if TYPE_CHECKING:
    from claudegwd.workspaces.workspaces import Workspaces

# For a client to read that its answer was stopped at a limit; a client that does not read does not keep its slot.
LAST_WORD_SECONDS = 5.0
# Lines about tools that finish while nobody reads, between a call of the client's tool and its result: there are a few.
MAX_HELD = 100
# Output of one process that is held here: answers, calls, results. Long tasks produce some megabytes; but a program
# that runs beside the CLI could write in its name.
MAX_KEPT_BYTES = 128 * 1024 * 1024


class WorkspaceSession:
    """Made by `Workspaces.ask`, which runs it. `digest`: of the conversation that it holds while it waits."""

    def __init__(self, home: "Workspaces", workspace: WorkspaceConfig, question: WorkspaceQuestion) -> None:
        plan = question.plan
        self.workspace = workspace
        self.question = question
        self.digest = b""
        self.ended = trio.Event()
        self._home = home
        self._plan = plan
        self._policy = home.policy(workspace)
        self._permissions = Permissions(home, plan.model.workspace, self._policy, self._say)
        self._turn = WorkspaceTurn(self._policy.directory, plan.tools)
        self._tools = ClientTools()
        self._grant = Grant(
            question.client, plan.model.workspace, plan.model.cli_name, workspace.max_turns, workspace.max_usd,
            plan.model.id, question.route, searches="WebSearch" in workspace.tools,
        )  # fmt: skip
        self._process: CliProcess | None = None
        self._past = home.continuation(workspace)
        self._pieces: list[bytes] = []  # of the history, not yet sent to the CLI
        self._held: list[Output] = []  # what was said while nobody read
        self._said = 0
        self._done = trio.Event()  # the answer is complete or broken
        self._resumed = trio.Event()
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self._plan.model.workspace

    @property
    def pid(self) -> int | None:
        """The process that does the work."""
        return self._process.pid if self._process is not None else None

    @property
    def is_ending(self) -> bool:
        """Whether it is too late to continue in it."""
        return self._scope.cancel_called

    @property
    def is_parked(self) -> bool:
        """Whether it waits, mid-turn, for the result of one of the client's tools."""
        return self._turn.parked

    def stop(self) -> None:
        """End it now, with everything that runs in it."""
        if self._process is not None and not self._turn.over:
            self._process.kill()
        self._scope.cancel()

    def fits(self, plan: Plan) -> bool:
        """Whether this process can take what the plan adds: results for a call, or a message after an answer."""
        return fits_parked(plan, len(plan.entries) - 1) if self._turn.parked else fits_ended(plan)

    def resume(self, question: WorkspaceQuestion) -> None:
        """Continue with what the client sent."""
        last, settings = question.plan.entries[-1], question.plan.settings
        self.question = question
        self._done = trio.Event()
        self._past.begun()
        if self._turn.parked:
            question.how, said = "parked", self._tools.give(last.results)
            self._grant.client, self._grant.error = question.client, None
            self._turn.resume()
        else:
            effort = commands.settings("w-3", {"effortLevel": settings.effort})
            question.how, said = "continued", effort + commands.ask(last.content())
            self._grant.renew(question.client)
            self._turn = WorkspaceTurn(self._policy.directory, self._plan.tools)
        self._grant.route = question.route
        held, self._held, self.digest = self._held, [], b""
        question.begin(held)
        self._living().send(said)
        self._resumed.set()

    async def run(self) -> None:
        """Run it from start to end, as a task of its own."""
        try:
            with self._scope, self._home.under_way(self._grant.client, lambda: self._home.end_waiting(self)):
                await self._work()
        except GatewayError as error:
            self.question.fail(error)
        except Exception as error:  # noqa: BLE001 - the boundary of a turn: log once, answer 500
            name = self.question.request_id
            log_event(log, logging.ERROR, "a turn in a workspace failed unexpectedly", cause=error, request_id=name)
            self.question.fail(
                InternalError("cannot answer: internal error; search the gateway's log for the request id")
            )
        finally:
            self._home.forget(self)
            self.question.over()
            self.ended.set()

    # -- the process --------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        await self._home.check(self.workspace)
        async with self._home.place():
            try:
                await self._past.find(self._plan, self._grant.client.owner)
                while not await self._in_process():
                    await self._past.give_up()
                    self._turn, self._done = WorkspaceTurn(self._policy.directory, self._plan.tools), trio.Event()
            finally:
                self._past.release()

    async def _in_process(self) -> bool:
        """Run it in one process; False if that one cannot resume from what was kept."""
        home, past = self._home, self._past
        directory = home.cli.scratch.next()
        self._permissions.begin(directory)
        try:
            with home.grants.open(self._grant) as token:
                started = await home.prepared(self.workspace, directory, token, past.session)
                with started.channel, started.theirs:
                    self._process = process = CliProcess(started.launch, self._lines)
                    await self._until_over(process, started)
        finally:
            with trio.CancelScope(shield=True):
                await past.keep(directory, self.name, self._grant.client)
                await trio.to_thread.run_sync(remove, directory)
        return not self._is_refused()

    def _is_refused(self) -> bool:
        """Whether the CLI cannot resume from what was kept: it failed without asking upstream."""
        question = self.question
        return question.how == "resumed" and not self._grant.requests and question.answer.finished is None

    async def _until_over(self, process: CliProcess, started: PreparedProcess) -> None:
        plan = self._plan
        self._pieces = transcript(plan, self._past.held)
        self.question.how = "resumed" if self._past.is_resumed else "cold"
        settings = {"model": plan.settings.model, "effortLevel": plan.settings.effort}
        self._tools.manifest = plan.tools.manifest
        process.send(
            commands.initialize(
                "w-1", system=system_prompt(plan, started.instructions), appended=True,
                server=TOOL_SERVER if plan.tools.manifest else None, tools=plan.tools.manifest,
            )
            + commands.settings("w-2", settings) + self._pieces.pop(0)
        )  # fmt: skip
        self.question.begin(())
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._run, process)
            self._nursery.start_soon(self._serve, started)
            await self._answer(process)
            while not self._is_refused() and await self._is_resumed():
                await self._answer(process)
            process.end()
            self._nursery.cancel_scope.cancel()

    async def _answer(self, process: CliProcess) -> None:
        """Wait until the answer is complete, broken or out of time."""
        with trio.move_on_after(self.workspace.seconds) as bound:
            await self._done.wait()
        if bound.cancelled_caught:
            process.kill()
            said = f"stopped: the workspace's time limit of {self.workspace.seconds:g} s is reached"
            with trio.move_on_after(LAST_WORD_SECONDS):
                await self._deliver(self._turn.stopped("seconds", said))
        self._past.answered(self.question.plan, self.question.answer, bound=self._turn.bound)
        if self._done.is_set() and not self._is_refused():
            self.question.over()  # the reader need not wait for the cleanup

    async def _is_resumed(self) -> bool:
        """Wait for the request that continues from here."""
        if self.question.plan.is_prefill or not self._home.is_current(self):
            return False
        if not (self._turn.parked or self._may_rest()):
            return False
        self._grant.rests = not self._turn.parked
        self._resumed = trio.Event()
        self.digest = digest_after(self.question.plan, self.question.answer)
        self._home.keep(self)
        with trio.move_on_after(self._home.parked_seconds if self._turn.parked else self._home.idle_seconds):
            await self._resumed.wait()
        self._home.forget(self)
        return self._resumed.is_set()

    def _may_rest(self) -> bool:
        """Whether the answer ended by itself and left nothing running. Never if cost is limited: the CLI adds up all
        answers of a process."""
        end, process = self.question.answer.finished, self._living()
        good = end is not None and end.reason == "stop" and not self.workspace.max_usd and not process.was_asked_to_end
        return good and process.pid is not None and works_alone(process.pid, self._home.cli.cli.binary)

    async def _run(self, process: CliProcess) -> None:
        try:
            await process.run()
        except OSError as error:
            self._fail(CliError(f"cannot start the Claude Code CLI in this workspace: {error.strerror}"))
        if not self._turn.over and not process.was_asked_to_end:
            words = f": {process.stderr.last_words}" if process.stderr.last_words else ""
            self._fail(CliError(f"cannot continue: the Claude Code CLI has exited{words}"))
        self._done.set()
        if self.digest:
            self._scope.cancel()  # it was waiting, and can no longer continue

    async def _serve(self, started: PreparedProcess) -> None:
        if not await self._home.serve_from(started):
            self._fail(CliError("cannot start in this workspace: its process did not respond"))

    # -- what it says -------------------------------------------------------------------------------------------------

    async def _lines(self, lines: Sequence[bytes]) -> None:
        outputs: list[Output] = []
        for line in lines:
            try:
                told = self._turn.feed(line)
            except e.EventError as error:
                self._fail(CliError(str(error)))
                return
            self._said += weight(line, told)
            if self._said > MAX_KEPT_BYTES:
                self._break_off(f"the conversation is larger than {MAX_KEPT_BYTES >> 20} MB")
                return
            for each in told:
                await self._take(each, outputs)
        await self._deliver(outputs)

    async def _take(self, told: Told, outputs: list[Output]) -> None:
        if isinstance(told, ToolAsked | Unasked) and not self._permissions.count():
            self._break_off(f"there were more than {MAX_ASKED} tool calls")
            return
        match told:
            case ToolAsked():
                self._nursery.start_soon(self._decide, told)
            case e.CliRequest():
                self._living().send(self._tools.take(told))
            case Unasked(call=call):
                outputs += self._turn.unasked(call, await self._permissions.denial(call, self.question.client.name))
            case Acknowledged():
                if self._pieces:
                    self._living().send(self._pieces.pop(0))
            case Failed(kind=kind, detail=detail):
                # Our own error says it better: the CLI only repeats it.
                self._fail(self._grant.error or error_for(kind, detail=redact(detail)))
            case _:
                outputs.append(told)

    async def _deliver(self, outputs: Sequence[Output]) -> None:
        end = next((place for place, each in enumerate(outputs, 1) if isinstance(each, Finished)), len(outputs))
        now, later = outputs[:end], outputs[end:]
        if self._done.is_set():
            now, later = (), outputs
        self.question.bound = self._turn.bound
        if now and await self.question.take(now):
            self._done.set()
        self._held.extend(later[: MAX_HELD - len(self._held)])

    def _break_off(self, why: str) -> None:
        self._fail(CliError(f"cannot continue in this workspace: {why}"))
        self._living().kill()

    def _fail(self, error: GatewayError) -> None:
        if not self._is_refused():
            self.question.fail(error)
        self._done.set()

    def _living(self) -> CliProcess:
        assert self._process is not None  # noqa: S101 - for the type checker: we are reading its lines
        return self._process

    # -- what it may do -----------------------------------------------------------------------------------------------

    async def _decide(self, asked: ToolAsked) -> None:
        own = self._turn.tools.client_name(asked.tool) is not None  # whoever runs it decides what it may do
        reason = None if own else await self._permissions.refusal(asked, self.question.client)
        if reason is None:
            self._living().send(commands.allow_tool(asked.request_id, asked.given))
            return
        self._turn.denied(asked, reason)
        self._living().send(commands.deny_tool(asked.request_id, f"Not allowed in this workspace: {reason}."))

    async def _say(self, text: str) -> None:
        await self._deliver(self._turn.note(text))
