"""Translates errors of the shared code, which name a chat's fields, to the fields of a Responses request."""

import re
from typing import TypeVar

import msgspec

from claudegwd.openai_api.errors import GatewayError

_INDEXED = re.compile(r"(messages|tools)\[(\d+)\](.*)")
# What a chat has in a nested object is in the part itself here.
_INNER = (
    (".image_url.url", ".image_url"),
    (".file.", "."),
    (".tool_call_id", ".call_id"),
    (".function.name", ".name"),
)
_CALL_ID = re.compile(r"\.tool_calls\[\d+\]\.id$")
_NAMES = {
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "max_tokens": "max_output_tokens",
    "verbosity": "text.verbosity",
}

Error = TypeVar("Error", bound=GatewayError)


class Paths(msgspec.Struct, frozen=True):
    """Where each message and tool of the chat comes from. `results`: the messages that are tool results."""

    messages: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    results: frozenset[int] = frozenset()

    def told(self, error: Error) -> Error:
        """The error with the client's name of the field."""
        if error.param is None:
            return error
        param = self.of(error.param)
        message = error.message.replace(error.param, param) if param != error.param else error.message
        return type(error)(message, param=param, code=error.code, retry_after=error.retry_after)

    def of(self, param: str) -> str:
        """The path of a field of the chat, in the Responses request."""
        found = _INDEXED.fullmatch(param)
        if found is None:
            if param.startswith("response_format"):
                return param.replace("response_format", "text.format", 1).replace(".json_schema.", ".", 1)
            return _NAMES.get(param, param)
        group, index, rest = found[1], int(found[2]), found[3]
        origins = self.messages if group == "messages" else self.tools
        if index >= len(origins):
            return _NAMES.get(group, group)
        origin = origins[index]
        if not origin.endswith("]"):
            return origin  # the whole input is a string, or it was sent with an earlier request
        for inner, here in _INNER:
            rest = rest.replace(inner, here, 1)
        if group == "messages" and index in self.results:
            rest = rest.replace(".content", ".output", 1)
        return origin + _CALL_ID.sub(".call_id", rest)
