"""Pairs the calls and results of a history."""

import re
from collections import deque
from collections.abc import Sequence

import msgspec

from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.messages import Message, ToolCall

_IN_BATCH = re.compile(r"_\d+$")
_NOTHING = Message(role="user")  # replaces a message that is left out, so that the others keep their positions


def pair_calls(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give every call an id of its own and every result the id of its call, in any order.

    Some servers count calls from 0 in each answer: an id that recurs belongs to the new call from then on. If a call
    has several results, the first is kept; a call without one is accepted, since agents abandon calls and continue.
    Raises InvalidRequest with the path of an id, or name, that no earlier call has.
    """
    pairing = _Pairing()
    return tuple(pairing.take(message, index) for index, message in enumerate(messages))


class CallIds:
    """The ids of the calls so far, and which others may not follow them."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._batches: set[str | None] = set()  # those that would be a batch of a taken one

    def take(self, ident: str) -> bool:
        """Take an id; False, and nothing is taken, if the CLI would confuse its call with an earlier one."""
        if ident in self._taken or ident in self._batches or _batch(ident) in self._taken:
            return False
        self._taken.add(ident)
        self._batches.add(_batch(ident))
        return True


def _batch(ident: str) -> str | None:
    """The CLI takes `a_2` for the second call of the batch `a`, and loses the results of either (2.1.330)."""
    found = _IN_BATCH.search(ident)
    return ident[: found.start()] if found else None


class _Pairing:
    def __init__(self) -> None:
        self._ids = CallIds()
        self._times: dict[str, int] = {}  # how often the client used an id
        self._open: dict[str, deque[str]] = {}  # the client's id, or a function's name -> our ids without a result
        self._fresh: dict[str, deque[str]] = {}  # those of the current turn of the assistant

    def take(self, message: Message, index: int) -> Message:
        if message.role != "assistant":
            self._fresh = {}
        match message.role:
            case "assistant" if message.tool_calls:
                return self._with_ids(message, index)
            case "tool":
                path = f"{message.path(index)}.tool_call_id"
                why = "no earlier call has this id; send that call too"
                return self._paired(message, f"id {message.tool_call_id}", path, why)
            case "function":
                why = "no earlier assistant message calls this function; send that too"
                return self._paired(message, f"name {message.name}", f"{message.path(index)}.name", why)
        return message

    def _with_ids(self, message: Message, index: int) -> Message:
        calls = []
        for call in message.tool_calls:
            # A legacy call has no id: make one from its position, the same for the same history.
            ident = self._own(call.id or f"call_legacy_{index}")
            self._fresh.setdefault(f"id {call.id}" if call.id else f"name {call.name}", deque()).append(ident)
            calls.append(call if ident == call.id else ToolCall(ident, call.name, call.arguments))
        # A result belongs to the latest turn with calls of its id: earlier ones without a result were abandoned. A turn
        # may be several messages: each call is an item of its own in the Responses API.
        self._open |= self._fresh
        return msgspec.structs.replace(message, tool_calls=tuple(calls))

    def _own(self, ident: str) -> str:
        own = ident
        while not self._ids.take(own):
            self._times[ident] = number = self._times.get(ident, 1) + 1
            own = f"{ident}-{number}"
        return own

    def _paired(self, message: Message, key: str, path: str, why: str) -> Message:
        waiting = self._open.get(key)
        if waiting is None:
            refuse(path, why)
        if not waiting:
            return _NOTHING
        return msgspec.structs.replace(message, tool_call_id=waiting.popleft())
