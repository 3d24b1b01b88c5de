"""A scripted model that works in a workspace: its calls one after the other, then its last words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from claudegwd.demo.replies import blocks
from claudegwd.demo.script import Answer, RecordedRequest, Script, ScriptedReply, ScriptedUsage, Text, ToolUse
from tests.e2e.harness import Running
from tests.marked_processes import processes

Call = tuple[str, Mapping[str, Any]]


def results(request: RecordedRequest) -> list[str]:
    """What came of the calls of this conversation, as the model was told."""
    found = [block for message in request.messages for block in blocks(message) if block.get("type") == "tool_result"]
    return [str(block.get("content")) for block in found]


def works(calls: Sequence[Call], *, last: str = "All done.", usage: ScriptedUsage | None = None) -> Script:
    """Make the calls, one a message, each with a word before it; then say the last words."""

    def script(request: RecordedRequest) -> Answer:
        done = len(results(request))
        if done >= len(calls):
            return ScriptedReply((Text((last,)),), usage=usage or ScriptedUsage())
        name, given = calls[done]
        steps = (Text((f"Step {done + 1}.",)), ToolUse(f"toolu_{done}", name, given))
        return ScriptedReply(steps, "tool_use", usage=usage or ScriptedUsage())

    return script


def bash(command: str, **more: Any) -> Call:
    return "Bash", {"command": command, **more}


def config(directory: Path, text: str = "anonymous = true", name: str = "repo") -> str:
    """A configuration with one workspace."""
    return f'[workspaces.{name}]\ndirectory = "{directory}"\n{text}\n'


def spoken(chunks: Sequence[Any]) -> tuple[str, str]:
    """Text and reasoning of a streamed chat."""
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    text = "".join(delta.content or "" for delta in deltas)
    return text, "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)


Scripted = Callable[[RecordedRequest], Answer]


async def until_gone(gateway: Running, mark: str) -> None:
    async def gone() -> bool:
        return not processes(mark)

    await gateway.until(gone)
