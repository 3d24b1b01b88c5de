"""What a request from a workspace must not contain, as any program in there that has found the key may send one.

Otherwise the upstream would fetch for it what the sandbox blocks, with what it has read as part of the address.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from claudegwd.messages_api.request import MessagesRequest
from claudegwd.openai_api.errors import PermissionDenied

# Fields that make the upstream connect somewhere, or run what is stored there.
_REACHING: Final = ("container", "mcp_servers")
# Sources outside the request itself.
_ELSEWHERE: Final = frozenset(("url", "file"))
_SEARCH: Final = "web_search"
_OF_CONTEXT: Final = ("context_management",)


def check_confined(wanted: MessagesRequest, *, searches: bool) -> None:
    """Raise PermissionDenied for anything that reaches out. `searches`: the workspace's tools have a web search."""
    for name in _REACHING:
        if name in wanted.body:
            _refuse(name)
    if set(wanted.tools.server) - ({_SEARCH} if searches else set()):
        _refuse("tools")
    if any(kind in _ELSEWHERE for kind in _sources([*wanted.messages, wanted.body.get("system")])):
        _refuse("messages")


def for_transcript(wanted: MessagesRequest) -> MessagesRequest:
    """The workspace CLI's request in a form that another CLI can send under its own login: system messages become user
    messages, and how to manage its context is left out."""
    messages = [{**each, "role": "user"} if each["role"] == "system" else each for each in wanted.messages]
    body = {name: value for name, value in wanted.body.items() if name not in _OF_CONTEXT}
    return msgspec.structs.replace(wanted, messages=messages, body={**body, "messages": messages})


def _sources(values: list[Any]) -> Iterator[Any]:
    """The type of each source, however deep; a body's depth is bounded."""
    left = list(values)
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            source = value.get("source")
            if isinstance(source, dict):
                yield source.get("type")
            left += value.values()


def _refuse(param: str) -> None:
    raise PermissionDenied("cannot reach out of a workspace: its configuration does not allow it", param=param)
