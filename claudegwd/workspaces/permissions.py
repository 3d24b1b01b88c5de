"""What Claude may do in a workspace: each call is put to the policy, and some of them to a person."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from claudegwd.claude_cli.tool_lines import ToolAsked, ToolCalled
from claudegwd.redact import redact
from claudegwd.workspaces.actions import one_line, shown
from claudegwd.workspaces.policy import Behavior, Decision, Policy, decide, paths_named

if TYPE_CHECKING:
    from claudegwd.workspaces.workspaces import Workspaces

# What a person sees of a call before saying yes: all of most commands.
APPROVAL_CHARACTERS = 2000


class Permissions:
    """Those of one workspace. `say` tells the client in a line that a person is waited for."""

    def __init__(
        self, home: "Workspaces", workspace: str, policy: Policy, say: Callable[[str], Awaitable[None]]
    ) -> None:
        self._home = home
        self._workspace = workspace
        self._policy = policy
        self._say = say

    async def refusal(self, asked: ToolAsked, client: str) -> str | None:
        """Why it may not be done; None if it may. A refusal is noted for the audit."""
        verdict, reason = self._verdict(asked.tool, asked.given), None
        if verdict.behavior is Behavior.DENY:
            reason = verdict.reason
        elif verdict.behavior is Behavior.ASK:
            reason = await self._ask_person(asked, client, verdict.reason)
        if reason is not None:
            self._note(asked.tool, asked.given, client, reason)
        return reason

    def denial(self, call: ToolCalled, client: str) -> str | None:
        """Why the CLI has denied it without asking; None if it was not by the rules. Noted for the audit as well."""
        verdict = self._verdict(call.tool, call.given)
        if verdict.behavior is not Behavior.DENY:
            return None
        self._note(call.tool, call.given, client, verdict.reason)
        return verdict.reason

    def _verdict(self, tool: str, given: Mapping[str, Any]) -> Decision:
        named = paths_named(tool, given) or ()
        return decide(self._policy, tool, given, _resolved(self._policy.directory, named))

    def _note(self, tool: str, given: Mapping[str, Any], client: str, reason: str) -> None:
        action = redact(shown(tool, given, self._policy.directory))
        self._home.note(
            "denied in a workspace", workspace=self._workspace, client=client, action=action, reason=one_line(reason)
        )

    async def _ask_person(self, asked: ToolAsked, client: str, why: str) -> str | None:
        exact = repr(sorted(asked.given.items(), key=lambda item: item[0]))
        approval = self._home.approvals.begin(
            workspace=self._workspace, directory=self._policy.directory, client=client, tool=asked.tool, why=why,
            exact=exact,
            shown=redact(shown(asked.tool, asked.given, self._policy.directory, characters=APPROVAL_CHARACTERS)),
        )  # fmt: skip
        if approval is None:
            return None
        await self._say(f"waiting for a person to approve {approval.id}: {one_line(approval.shown)}")
        return None if await self._home.approvals.answer(approval, exact) else approval.reason


def _resolved(directory: str, paths: Sequence[str]) -> dict[str, str]:
    """Where they lead, symbolic links followed. It looks at names in a directory that is in memory: microseconds."""
    return {path: os.path.realpath(os.path.join(directory, path)) for path in paths}  # noqa: PTH118 - "" and links
