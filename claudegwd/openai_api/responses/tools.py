"""The tools of a Responses request as functions of a chat, and what each call is called for its client.

A `custom` tool (free text, as used by Codex to patch files) is offered as a function with one string; the functions of
a `namespace` get its name as a prefix. A `tool_search` that the client runs is a function too, and the tools that it
found are offered from then on. Of the tools that OpenAI's servers run themselves, the upstream has a web search; the
others are ignored and named, because agents offer them without needing them.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.parameters import is_marked
from claudegwd.openai_api.tools import NamedTool, Tool, ToolChoice, distinct, read_function, read_mode, read_name
from claudegwd.openai_api.web_search import WebSearch, is_search, read_search_tool

CUSTOM_INPUT = "input"
SEARCH = "tool_search"


class CallShape(msgspec.Struct, frozen=True):
    """How calls of a tool are written to the client."""

    kind: Literal["function", "custom", "tool_search"]
    name: str
    namespace: str | None = None


class ResponsesTools(msgspec.Struct, frozen=True):
    """What a request says about tools. `paths` has those of `tools`, `shapes` is by their names."""

    tools: tuple[Tool, ...]
    choice: ToolChoice | None
    shapes: dict[str, CallShape]
    paths: tuple[str, ...]
    skipped: tuple[str, ...]
    shown: list[dict[str, Any]]  # for the response object
    search: WebSearch | None = None


class _Offered(msgspec.Struct, frozen=True):
    tool: Tool
    path: str
    shape: CallShape


def name_in(namespace: str | None, name: str) -> str:
    """The name under which a tool of a namespace is offered to the model."""
    return f"{namespace}__{name}" if namespace else name


def read_tools(body: Fields, bounds: Bounds, later: Sequence[Fields] = ()) -> ResponsesTools:
    """Read `tools` and `tool_choice`. `later` are tools that came with the conversation."""
    given = body.objects("tools", longest=bounds.max_tools)
    skipped: list[str] = []
    search = _search(given, skipped, bounds)
    offered = _offered(given, skipped, bounds)
    # A deferred tool comes again once it is found; one may be found more than once.
    known = {one.tool.name for one in offered}
    for one in _offered(later, skipped, bounds):
        if one.tool.name not in known:
            known.add(one.tool.name)
            offered.append(one)
    if len(offered) > bounds.max_tools:
        refuse("tools", f"it must contain at most {bounds.max_tools} tools, including those in the input")
    shown = [_shown(fields) for fields in given]
    tools = distinct([(one.tool, f"{one.path}.name") for one in offered])
    shapes = {one.tool.name: one.shape for one in offered}
    tools, choice, search = _choice(body, tools, shapes, search, bounds)
    allowed = {tool.name for tool in tools}
    paths = tuple(one.path for one in offered if one.tool.name in allowed)
    return ResponsesTools(tools, choice, shapes, paths, tuple(dict.fromkeys(skipped)), shown, search)


def _search(given: Sequence[Fields], skipped: list[str], bounds: Bounds) -> WebSearch | None:
    found = None
    for fields in given:
        kind = fields.text("type", longest=bounds.max_id_chars) or ""
        if is_search(kind):
            read = read_search_tool(fields, bounds)
            skipped.append(f"tools.{kind}") if read is None else skipped.extend(read.ignored)
            found = found or read
    return found


def _offered(given: Sequence[Fields], skipped: list[str], bounds: Bounds) -> list[_Offered]:
    """What is offered to the model; the names of everything else are added to `skipped`."""
    offered: list[_Offered] = []
    for fields in given:
        kind = fields.needed_text("type", longest=bounds.max_id_chars)
        if kind == "namespace":
            offered += _namespace(fields, skipped, bounds)
        elif kind in ("function", "custom"):
            offered.append(_tool(fields, None, skipped, bounds))
        elif kind == SEARCH and fields.text("execution") == "client":
            read = read_function(Fields({**fields.values, "name": SEARCH}, fields.path), bounds)
            offered.append(_Offered(read, fields.path, CallShape("tool_search", SEARCH)))
        elif not is_search(kind):
            skipped.append(f"tools.{kind}")
    return offered


def _namespace(fields: Fields, skipped: list[str], bounds: Bounds) -> list[_Offered]:
    name = read_name(fields)
    return [_tool(inner, name, skipped, bounds) for inner in fields.objects("tools", longest=bounds.max_tools)]


def _tool(fields: Fields, namespace: str | None, skipped: list[str], bounds: Bounds) -> _Offered:
    kind = fields.one_of("type", ("function", "custom"))
    if fields.flag("defer_loading"):
        skipped.append("tools.defer_loading")  # it can still be called: it is offered right away
    if fields.array("allowed_callers", longest=bounds.max_parts):
        skipped.append("tools.allowed_callers")
    if is_marked(fields.values):
        skipped.append("tools.cache_control")
    if kind == "custom":
        name = read_name(fields)
        tool = Tool(name_in(namespace, name), _custom_description(fields), _custom_parameters())
        return _Offered(tool, fields.path, CallShape("custom", name, namespace))
    read = read_function(fields, bounds)
    tool = msgspec.structs.replace(read, name=name_in(namespace, read.name))
    return _Offered(tool, fields.path, CallShape("function", read.name, namespace))


def _custom_description(fields: Fields) -> str:
    texts = [fields.text("description") or ""]
    grammar = fields.object("format")
    if grammar is not None and grammar.text("type") == "grammar":
        syntax, definition = grammar.text("syntax") or "", grammar.needed_text("definition")
        texts.append(f"The {CUSTOM_INPUT} must satisfy this {syntax} grammar:\n{definition}")
    return "\n\n".join(text for text in texts if text)


def _custom_parameters() -> dict[str, Any]:
    text = {"type": "string", "description": "The whole input of the tool, as plain text."}
    return {"type": "object", "properties": {CUSTOM_INPUT: text}, "required": [CUSTOM_INPUT]}


def _shown(fields: Fields) -> dict[str, Any]:
    """A tool in the response object, with all fields if it is a function."""
    if fields.get("type") != "function":
        return fields.values
    return {"description": None, "parameters": None, **fields.values, "strict": fields.flag("strict") or False}


def _choice(
    body: Fields,
    tools: tuple[Tool, ...],
    shapes: dict[str, CallShape],
    search: WebSearch | None,
    bounds: Bounds,
) -> tuple[tuple[Tool, ...], ToolChoice | None, WebSearch | None]:
    value = body.get("tool_choice")
    if not isinstance(value, dict):
        return tools, *_mode(body, "tool_choice", tools, search)
    choice = Fields(value, "tool_choice")
    kind = choice.needed_text("type")
    if is_search(kind):
        if search is None:
            cannot_honour(choice.at("type"), "there is no web search among the tools, or it is not live")
        return tools, None, _demanded(search)
    if kind == "allowed_tools":
        # The model cannot call a tool that it does not know.
        named = choice.objects("tools", longest=bounds.max_tools)
        allowed = {_known(one, shapes) for one in named if one.get("type") in ("function", "custom")}
        if any(one.get("type") == SEARCH for one in named):
            allowed |= {name for name, shape in shapes.items() if shape.kind == "tool_search"}
        tools = tuple(tool for tool in tools if tool.name in allowed)
        if not any(is_search(one.text("type") or "") for one in named):
            search = None
        return tools, *_mode(choice, "mode", tools, search)
    if kind not in ("function", "custom"):
        cannot_honour(choice.at("type"), "only the client's own tools and web search are supported; name a function")
    return tools, NamedTool(_known(choice, shapes)), search


def _mode(
    fields: Fields, name: str, tools: tuple[Tool, ...], search: WebSearch | None
) -> tuple[ToolChoice | None, WebSearch | None]:
    mode = fields.one_of(name, ("none", "auto", "required"))
    if search is not None and not tools and mode == "required":
        return None, _demanded(search)
    return read_mode(fields, name, tools), None if mode == "none" else search


def _demanded(search: WebSearch) -> WebSearch:
    return msgspec.structs.replace(search, param="tool_choice", offered=False, demanded=True)


def _known(choice: Fields, shapes: dict[str, CallShape]) -> str:
    name = name_in(choice.text("namespace"), choice.needed_text("name"))
    if name not in shapes:
        refuse(choice.at("name"), "there is no tool of this name; name one of tools")
    return name
