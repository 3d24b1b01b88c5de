"""The upstream's events for clients that speak its own protocol: unchanged, except for texts of the CLI's in them."""

import json
from collections.abc import Sequence
from typing import Any

from claudegwd.claude_cli import events as e
from claudegwd.openai_api.encode import encode
from claudegwd.translate.answer.outputs import Verbatim
from claudegwd.translate.request.tools import ToolSet


def verbatim(passed: e.Passed, event: e.AnyEvent, tools: ToolSet, *, refused: int | None) -> Sequence[Verbatim]:
    """`event` is what was parsed from it. `refused`: about how many tokens the model said, if the CLI reported that it
    declined; else None."""
    part = event.event if isinstance(event, e.StreamEvent) else None
    match part:
        case e.MessageDelta(delta=delta) if delta.stop_reason is None:
            # The CLI's own end of a broken answer; or of a refusal, if it leaves the reason and the count out.
            if refused is None:
                return ()
            return (_changed(passed, delta={"stop_reason": "refusal"}, usage={"output_tokens": refused}),)
        case e.BlockStart(content_block=block) if block.type == "tool_use":
            name = tools.client_name(block.name) or block.name
            if name != block.name:
                return (_changed(passed, content_block={"name": name}),)
    return (Verbatim(passed.name, passed.raw),)


def _changed(passed: e.Passed, **parts: dict[str, Any]) -> Verbatim:
    value: dict[str, Any] = json.loads(passed.raw)
    for place, fields in parts.items():
        value[place] = {**(value.get(place) or {}), **fields}
    return Verbatim(passed.name, encode(value))
