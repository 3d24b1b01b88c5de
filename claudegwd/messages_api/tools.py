"""The tools of a request: the client's own, and those that run upstream, which costs money."""

import re
from typing import Any, Final

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import PermissionDenied
from claudegwd.openai_api.fields import Fields, refuse
from claudegwd.openai_api.json_schema import check_depth
from claudegwd.openai_api.parameters import MAX_NAMED, is_header_safe

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_DATED: Final = re.compile(r"(.+)_\d{8}")

# Anthropic's tools that the client runs.
_CLIENT_RUN: Final = frozenset(("bash", "text_editor", "computer", "memory", "computer_toolset", "browser_toolset"))
# Run upstream, with a price per use: only for clients that are allowed to.
PRICED: Final = ("web_search", "web_fetch", "code_execution")
# Run upstream for free: they search the tools in the request.
_FREE: Final = frozenset(("tool_search_tool_bm25", "tool_search_tool_regex", "tool_search_tool", "mcp_toolset"))


class ClientTool(msgspec.Struct, frozen=True):
    """A client's own tool, with its own schema."""

    name: str
    description: str | None
    schema: dict[str, Any]
    path: str  # of the schema


class Tools(msgspec.Struct, frozen=True):
    """`named`: all tools that the model may call and the client runs. `typed`: whether any is not the client's own."""

    own: tuple[ClientTool, ...] = ()
    named: tuple[str, ...] = ()
    typed: str = ""  # the path of the first one
    server: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()  # fields of the client's own tools besides the three, as far as a header takes them


def read_tools(body: Fields, bounds: Bounds) -> Tools:
    """`tools`. Raises the CallerError with the path of the field at fault."""
    own: list[ClientTool] = []
    named: dict[str, str] = {}
    server: list[str] = []
    extras: set[str] = set()
    typed = ""
    for tool in body.objects("tools", longest=bounds.max_tools):
        kind = tool.text("type", longest=bounds.max_id_chars)
        if kind == "function":
            refuse(tool.at("type"), "this is an OpenAI tool; send such a request to /v1/chat/completions")
        stem = _stem(kind)
        if stem in PRICED:
            server.append(stem)
        elif stem is not None and stem not in _CLIENT_RUN and stem not in _FREE:
            refuse(tool.at("type"), "this gateway does not know this tool")
        if stem is not None:
            typed = typed or tool.path
        if stem is not None and (stem in PRICED or stem in _FREE or stem.endswith("_toolset")):
            continue
        name = _name(tool, named)
        if stem is None:
            own.append(_own(tool, name, bounds))
            extras |= tool.values.keys() - {"name", "description", "input_schema", "type"}
    shown = sorted(filter(is_header_safe, extras))[:MAX_NAMED]
    return Tools(tuple(own), tuple(named), typed, tuple(dict.fromkeys(server)), tuple(shown))


def check_allowed(tools: Tools, allowed: frozenset[str]) -> None:
    """Raise PermissionDenied for an upstream tool that this client may not use."""
    for name in tools.server:
        check_use(name, allowed, "tools")


def check_use(name: str, allowed: frozenset[str], param: str) -> None:
    """The same for a single tool, which `param` asks for."""
    if name not in allowed:
        raise PermissionDenied(
            f"cannot use {name}: the gateway's operator has to allow it, for a client with `claudegwctl clients set "
            f"NAME --server-tools {name}`, for requests without a key with `claude.server_tools`",
            param=param,
        )


def _stem(kind: str | None) -> str | None:
    """The type without its date; None for a client's own tool."""
    if kind in (None, "custom"):
        return None
    found = _DATED.fullmatch(kind or "")
    return found[1] if found else kind


def _name(tool: Fields, named: dict[str, str]) -> str:
    name = tool.needed_text("name")
    if not _NAME.fullmatch(name):
        refuse(tool.at("name"), "it must be 1 to 128 letters, digits, _ and -")
    if name in named:
        refuse(tool.at("name"), "another tool has this name")
    named[name] = tool.path
    return name


def _own(tool: Fields, name: str, bounds: Bounds) -> ClientTool:
    schema = tool.needed_object("input_schema")
    check_depth(schema.values, schema.path, bounds)
    return ClientTool(name, tool.text("description"), schema.values, schema.path)
