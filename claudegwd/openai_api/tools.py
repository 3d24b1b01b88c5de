"""The tools of a chat request, and which of them the model may or must call."""

import re
from typing import Any, Literal, TypeAlias

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.modern_schema import check_tool_schema

# OpenAI's rule (letters, digits, _ and -, at most 64) combined with MCP's (dots too, at most 128), since agents pass
# MCP names on unchanged.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_NAME_RULE = "it must be 1 to 128 letters, digits, dots, _ or -"


class Tool(msgspec.Struct, frozen=True):
    """A function that the client offers. `parameters` is its whole JSON Schema; None means no parameters."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool = False


class NamedTool(msgspec.Struct, frozen=True):
    """The model must call this one."""

    name: str


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | NamedTool


class ToolSettings(msgspec.Struct, frozen=True):
    """What the request says about tools, with modern and legacy fields combined."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    parallel: bool | None = None
    legacy: bool = False


def read_tool_use(body: Fields, bounds: Bounds) -> ToolSettings:
    """Read tools, tool_choice and parallel_tool_calls, or the legacy functions and function_call instead."""
    functions = body.objects("functions", longest=bounds.max_tools)
    offered = body.objects("tools", longest=bounds.max_tools)
    if functions and offered:
        refuse("functions", "it cannot be combined with tools; send only tools")
    parallel = body.flag("parallel_tool_calls")
    if functions:
        tools = distinct([(read_function(fields, bounds), fields.at("name")) for fields in functions])
        if body.get("tool_choice") is not None:
            refuse("tool_choice", "it belongs to tools; use function_call with functions")
        choice = _legacy_choice(body, tools)
        # A legacy answer has room for one call.
        return ToolSettings(tools, choice, parallel=False, legacy=True)
    # Without functions, "none" and "auto" mean nothing; a name would be an error.
    _legacy_choice(body, ())
    tools = distinct([_tool(fields, bounds) for fields in offered])
    tools, choice = _choice(body, tools, bounds)
    if parallel is None and _one_call_by_anthropic(body):
        parallel = False
    return ToolSettings(tools, choice, parallel)


def distinct(found: list[tuple[Tool, str]]) -> tuple[Tool, ...]:
    """Check that no two tools, each given with the path of its name, have the same one."""
    names: set[str] = set()
    for tool, path in found:
        if tool.name in names:
            refuse(path, "another tool has the same name; give each its own name")
        names.add(tool.name)
    return tuple(tool for tool, _ in found)


def _tool(fields: Fields, bounds: Bounds) -> tuple[Tool, str]:
    kind = fields.text("type")
    if kind in (None, "custom") and fields.get("input_schema") is not None:
        return _anthropic_tool(fields, bounds), fields.at("name")
    if kind == "custom":
        cannot_honour(fields.at("type"), "custom tools are not supported; describe it as a function")
    if kind != "function":
        refuse(fields.at("type"), "it must be function; for Anthropic's own tools use /v1/messages")
    # Flat as in the Responses API, without the inner object: Cursor sends this.
    inner = fields if fields.get("function") is None and fields.get("name") else fields.needed_object("function")
    return read_function(inner, bounds), inner.at("name")


def read_function(fields: Fields, bounds: Bounds) -> Tool:
    """Read the object that describes a function."""
    name = read_name(fields)
    schema = _schema(fields, "parameters", bounds)
    return Tool(name, fields.text("description"), schema, strict=fields.flag("strict") or False)


def _anthropic_tool(fields: Fields, bounds: Bounds) -> Tool:
    """A tool in the format of the Messages API: Cursor sends these for models called claude-…"""
    return Tool(read_name(fields), fields.text("description"), _schema(fields, "input_schema", bounds))


def _schema(fields: Fields, name: str, bounds: Bounds) -> dict[str, Any] | None:
    parameters = fields.object(name)
    if parameters is None:
        return None
    # {} is a function without parameters; some generators write a null type for that.
    if parameters.get("type") not in (None, "object"):
        refuse(parameters.at("type"), "the parameters of a function must be of type object")
    values = {key: value for key, value in parameters.values.items() if key != "type" or value is not None}
    check_tool_schema(values, parameters.path, bounds)
    return values


def read_name(fields: Fields) -> str:
    """Read the name of a tool."""
    name = fields.needed_text("name")
    if not _NAME.fullmatch(name):
        refuse(fields.at("name"), _NAME_RULE)
    return name


def _choice(body: Fields, tools: tuple[Tool, ...], bounds: Bounds) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    value = body.get("tool_choice")
    if isinstance(value, dict):
        return _object_choice(Fields(value, "tool_choice"), tools, bounds)
    return tools, read_mode(body, "tool_choice", tools)


def read_mode(fields: Fields, name: str, tools: tuple[Tool, ...]) -> ToolChoice | None:
    """Read a choice that is not a named tool."""
    value: Any = fields.one_of(name, ("none", "auto", "required"))
    if not tools:
        if value == "required":
            refuse(fields.at(name), "there are no tools to require; send tools")
        # With "none" and "auto" there is nothing to choose; agents send them in calls without tools.
        return None
    choice: ToolChoice | None = value
    return choice


def _object_choice(
    choice: Fields, tools: tuple[Tool, ...], bounds: Bounds
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    kind = choice.text("type")
    if kind == "custom":
        cannot_honour(choice.at("type"), "custom tools are not supported; name a function")
    if kind in _ANTHROPIC_CHOICES:
        return tools, _anthropic_choice(choice, tools)
    if kind == "allowed_tools":
        # The model cannot call a tool that it does not know.
        allowed = choice.needed_object("allowed_tools")
        named = [_known(one, tools) for one in allowed.objects("tools", longest=bounds.max_tools)]
        tools = tuple(tool for tool in tools if tool.name in named)
        return tools, read_mode(allowed, "mode", tools)
    if kind != "function":
        refuse(choice.at("type"), "it must be function or allowed_tools")
    return tools, NamedTool(_known(choice, tools))


# The Messages API's choices, and OpenAI's words for them.
_ANTHROPIC_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": None}


def _anthropic_choice(choice: Fields, tools: tuple[Tool, ...]) -> ToolChoice | None:
    mode = _ANTHROPIC_CHOICES[choice.values["type"]]
    if mode is None:
        return NamedTool(_known(choice, tools))
    return read_mode(Fields({"type": mode}, choice.path), "type", tools)


def _one_call_by_anthropic(body: Fields) -> bool:
    value = body.get("tool_choice")
    return isinstance(value, dict) and Fields(value, "tool_choice").flag("disable_parallel_tool_use") is True


def _known(choice: Fields, tools: tuple[Tool, ...]) -> str:
    inner = choice if choice.get("function") is None and choice.get("name") else choice.needed_object("function")
    name = inner.needed_text("name")
    if name not in {tool.name for tool in tools}:
        refuse(inner.at("name"), "there is no tool of this name; name one of tools")
    return name


def _legacy_choice(body: Fields, tools: tuple[Tool, ...]) -> ToolChoice | None:
    value = body.get("function_call")
    if isinstance(value, dict):
        fields = Fields(value, "function_call")
        name = fields.needed_text("name")
        if name not in {tool.name for tool in tools}:
            refuse(fields.at("name"), "there is no function of this name; name one of functions")
        return NamedTool(name)
    choice: Any = body.one_of("function_call", ("none", "auto"))
    return choice  # type: ignore[no-any-return]  # one_of returns str; these two are in ToolChoice
