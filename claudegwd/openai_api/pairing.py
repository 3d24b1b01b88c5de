"""Whether calls and results in a history belong together."""

from collections.abc import Sequence

import msgspec

from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.messages import Message, ToolCall


def pair_calls(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Check that each result names an earlier call, once, in any order; give legacy function calls an id of their own.

    A call without a result is accepted: agents abandon a call and go on, and some send results in two requests.
    Raises InvalidRequest with the path of the id at fault.
    """
    open_calls: set[str] = set()
    seen: set[str] = set()
    legacy: dict[str, str] = {}  # function name -> id of its last call that has no result yet
    paired = []
    for index, message in enumerate(messages):
        if message.role == "assistant" and message.tool_calls:
            message = _with_ids(message, index, legacy)  # noqa: PLW2901 - the same message, completed
            for number, call in enumerate(message.tool_calls):
                if call.id in seen:
                    path = f"messages[{index}].tool_calls[{number}].id"
                    refuse(path, "another call has the same id; give each its own")
                seen.add(call.id)
                open_calls.add(call.id)
        elif message.role == "tool":
            path = f"messages[{index}].tool_call_id"
            if message.tool_call_id not in seen:
                refuse(path, "no earlier assistant message has a call with this id; send that message too")
            if message.tool_call_id not in open_calls:
                refuse(path, "an earlier message has the result of this call already; send one")
            open_calls.discard(message.tool_call_id or "")
        elif message.role == "function":
            call_id = legacy.pop(message.name or "", None)
            if call_id is None:
                refuse(f"messages[{index}].name", "no earlier assistant message calls this function; send that too")
            message = msgspec.structs.replace(message, tool_call_id=call_id)  # noqa: PLW2901 - the same
        paired.append(message)
    return tuple(paired)


def _with_ids(message: Message, index: int, legacy: dict[str, str]) -> Message:
    """A legacy function_call has no id: make one out of its place, so that the same history gives the same ids."""
    if message.tool_calls[0].id:
        return message
    call = message.tool_calls[0]
    legacy[call.name] = f"call_legacy_{index}"
    return msgspec.structs.replace(message, tool_calls=(ToolCall(legacy[call.name], call.name, call.arguments),))
