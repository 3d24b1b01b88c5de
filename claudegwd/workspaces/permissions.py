"""What Claude may do in a workspace: each call is checked against the policy, and some are put to a person."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from claudegwd.claude_cli.tool_lines import ToolAsked, ToolCalled
from claudegwd.limits.clients import Client
from claudegwd.redact import redact
from claudegwd.workspaces.actions import in_full, one_line, shown
from claudegwd.workspaces.approvals import WantedCall
from claudegwd.workspaces.policy import Behavior, Decision, Policy, decide, paths_named
from claudegwd.workspaces.rules import Rule

if TYPE_CHECKING:
    from claudegwd.workspaces.workspaces import Workspaces

# Calls of one process that need a decision: a few per turn (`max_turns` is at most 1000). A program that runs beside
# the CLI could speak in its name, and must not ask forever.
MAX_ASKED = 10_000
# How many of them are evaluated, or wait for a person, at once: a message has a few calls, each takes a thread for a
# moment, and the whole daemon has 40.
MAX_JUDGED_AT_ONCE = 8
# Denials of one process that are listed in the audit log, which holds the last 10,000 changes of all kinds.
MAX_NOTED = 50


class Permissions:
    """Those of one process. `say` sends the client a line when a person has to approve."""

    def __init__(
        self, home: "Workspaces", workspace: str, policy: Policy, say: Callable[[str], Awaitable[None]]
    ) -> None:
        self._home = home
        self._workspace = workspace
        self._rules = self._policy = policy
        self._say = say
        self._asked = 0
        self._denied = 0
        self._at_once = trio.CapacityLimiter(MAX_JUDGED_AT_ONCE)

    def begin(self, home: Path) -> None:
        """A process begins. It may also read what its CLI saves there: longer outputs than it shows the model, which is
        told to read the file."""
        saved = Rule("Read", f"/{os.path.realpath(home)}/.claude/projects/**/tool-results/**")
        self._policy = replace(self._rules, allow=(*self._rules.allow, saved))

    def count(self) -> bool:
        """Count another call; False if there are too many."""
        self._asked += 1
        return self._asked <= MAX_ASKED

    async def refusal(self, asked: ToolAsked, client: Client) -> str | None:
        """Why it may not be done; None if it may. A refusal goes to the audit log."""
        async with self._at_once:
            verdict, reason = await self._verdict(asked.tool, asked.given), None
            if verdict.behavior is Behavior.DENY:
                reason = verdict.reason
            elif verdict.behavior is Behavior.ASK:
                reason = await self._ask_person(asked, client, one_line(verdict.reason))
        if reason is not None:
            self._note(asked.tool, asked.given, client.name, reason)
        return reason

    async def denial(self, call: ToolCalled, client: str) -> str | None:
        """Why the CLI denied it without asking; None if the rules did not. Goes to the audit log too."""
        verdict = await self._verdict(call.tool, call.given)
        if verdict.behavior is not Behavior.DENY:
            return None
        self._note(call.tool, call.given, client, verdict.reason)
        return verdict.reason

    async def _verdict(self, tool: str, given: Mapping[str, Any]) -> Decision:
        return await trio.to_thread.run_sync(_judged, self._policy, tool, given)

    def _note(self, tool: str, given: Mapping[str, Any], client: str, reason: str) -> None:
        self._denied += 1
        if self._denied > MAX_NOTED:
            return
        last = "; further denials for this process are not logged" if self._denied == MAX_NOTED else ""
        action = redact(shown(tool, given, self._policy.directory))
        self._home.note(
            "denied in a workspace", workspace=self._workspace, client=client, action=action,
            reason=one_line(reason) + last,
        )  # fmt: skip

    async def _ask_person(self, asked: ToolAsked, client: Client, why: str) -> str | None:
        directory = self._policy.directory
        approval = self._home.approvals.begin(
            WantedCall(self._workspace, directory, client.name, client.owner, asked.tool, asked.given),
            shown=redact.known(in_full(asked.tool, asked.given, directory)), why=why,
        )  # fmt: skip
        if approval is None:
            return None
        if not approval.decided.is_set():
            await self._say(
                f"waiting for approval of {approval.id}: {redact(shown(asked.tool, asked.given, directory))}"
            )
        return None if await self._home.approvals.answer(approval) else approval.reason


def _judged(policy: Policy, tool: str, given: Mapping[str, Any]) -> Decision:
    """Blocking: it follows links, perhaps on a slow disk, and checks every path against every rule."""
    return decide(policy, tool, given, _resolved(policy.directory, paths_named(tool, given) or ()))


def _resolved(directory: str, paths: Sequence[str]) -> dict[str, str]:
    return {path: _real(os.path.join(directory, path)) for path in paths}  # noqa: PTH118 - "" and links


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except RecursionError:  # more links, one after the other, than the kernel would follow
        return "/"
