"""What Claude may do in a workspace: each call is put to the policy, and some of them to a person."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from claudegwd.claude_cli.tool_lines import ToolAsked
from claudegwd.redact import redact
from claudegwd.workspaces.actions import one_line, shown
from claudegwd.workspaces.policy import Behavior, Policy, decide, paths_named

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
        reason = await self._reason(asked, client)
        if reason is not None:
            self._home.note(
                "denied in a workspace", workspace=self._workspace, client=client,
                action=redact(shown(asked.tool, asked.given, self._policy.directory)), reason=one_line(reason),
            )  # fmt: skip
        return reason

    async def _reason(self, asked: ToolAsked, client: str) -> str | None:
        named = paths_named(asked.tool, asked.given) or ()
        resolved = _resolved(self._policy.directory, named)
        verdict = decide(self._policy, asked.tool, asked.given, resolved)
        if verdict.behavior is Behavior.ALLOW:
            return None
        if verdict.behavior is Behavior.DENY:
            return verdict.reason
        return await self._ask_person(asked, client, verdict.reason)

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
