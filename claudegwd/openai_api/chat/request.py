"""POST /v1/chat/completions: turns the body into a ChatRequest, in which everything has been checked.

Source: OpenAI's ``CreateChatCompletionRequest``, and what real clients send in addition. Everything that the
translation needs is here under OpenAI's names; each parameter is honoured, rejected, or named in ``ignored``.
"""

from itertools import chain
from typing import Any

import msgspec

from claudegwd.openai_api.bounds import Bounds as Bounds
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.json_schema import check_depth
from claudegwd.openai_api.messages import FilePart as FilePart
from claudegwd.openai_api.messages import ImagePart as ImagePart
from claudegwd.openai_api.messages import Message as Message
from claudegwd.openai_api.messages import Part as Part
from claudegwd.openai_api.messages import TextPart as TextPart
from claudegwd.openai_api.messages import ToolCall as ToolCall
from claudegwd.openai_api.messages import read_messages
from claudegwd.openai_api.pairing import pair_calls
from claudegwd.openai_api.parameters import (
    IGNORED,
    REASONING_EFFORTS,
    REFUSED,
    VERBOSITIES,
    is_marked,
    name_what_is_ignored,
    read_include_usage,
    read_max_tokens,
    read_n,
    read_stop,
    refuse_what_cannot_be_honoured,
)
from claudegwd.openai_api.response_format import JsonObject as JsonObject
from claudegwd.openai_api.response_format import JsonSchema as JsonSchema
from claudegwd.openai_api.response_format import ResponseFormat as ResponseFormat
from claudegwd.openai_api.response_format import read_response_format
from claudegwd.openai_api.tools import NamedTool as NamedTool
from claudegwd.openai_api.tools import Tool as Tool
from claudegwd.openai_api.tools import ToolChoice as ToolChoice
from claudegwd.openai_api.tools import read_tool_use
from claudegwd.openai_api.web_search import WebSearch, read_web_search

# fmt: off
HONOURED = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "temperature",
    "top_p", "n", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format",
    "reasoning_effort", "prompt_cache_key", "project_id", "session_id", "system_prompt",
    "web_search_options",
})
# fmt: on
KNOWN = HONOURED | REFUSED.keys()


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request. None means that the client left it out (or sent null)."""

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None  # 0 to 2
    top_p: float | None = None  # 0 to 1
    n: int = 1
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    verbosity: str | None = None
    web_search: WebSearch | None = None
    left_aside: tuple[str, ...] = ()  # what was offered with it but is unavailable, for the same header as `ignored`
    # The older gateway's own fields.
    project_id: str | None = None
    session_id: str | None = None
    system_prompt: str | None = None
    # The client uses `functions` and `function_call`: answer with those. At most one call then.
    uses_legacy_functions: bool = False
    # For the header x-claudegw-ignored: safe there, and bounded in number.
    ignored: tuple[str, ...] = ()

    def without_search(self) -> "ChatRequest":
        """The same request without its web search, for one that only offers it."""
        return msgspec.structs.replace(self, web_search=None, left_aside=("tools.web_search",))


def parse_chat_request(body: bytes, bounds: Bounds) -> ChatRequest:
    """Read and check the body of one request.

    Raises a CallerError (InvalidRequest, UnsupportedParameter) with the path of the field at fault, and nothing else,
    whatever the bytes. Whether the model exists, and whether images are what they claim, is checked elsewhere.
    """
    return read_chat_request(Fields(read_object(body, bounds)), bounds)


def read_chat_request(body: Fields, bounds: Bounds) -> ChatRequest:
    """The same, from a decoded object."""
    model = body.needed_text("model", longest=bounds.max_model_chars)
    refuse_what_cannot_be_honoured(body, REFUSED)
    messages = pair_calls(read_messages(body, bounds))
    tool_use = read_tool_use(body, bounds)
    web_search = read_web_search(body)
    metadata = body.object("metadata")
    if metadata is not None:
        check_depth(metadata.values, "metadata", bounds)
    return ChatRequest(
        model=model,
        messages=messages,
        stream=body.flag("stream") or False,
        include_usage=read_include_usage(body),
        max_tokens=read_max_tokens(body),
        stop=read_stop(body),
        temperature=body.number("temperature", 0, 2),
        top_p=body.number("top_p", 0, 1),
        n=read_n(body, bounds),
        tools=tool_use.tools,
        tool_choice=tool_use.choice,
        parallel_tool_calls=tool_use.parallel,
        response_format=read_response_format(body, bounds),
        reasoning_effort=body.one_of("reasoning_effort", REASONING_EFFORTS),
        user=body.text("user", longest=bounds.max_id_chars),
        metadata=metadata.values if metadata else None,
        prompt_cache_key=body.text("prompt_cache_key", longest=bounds.max_id_chars),
        verbosity=body.one_of("verbosity", VERBOSITIES),
        web_search=web_search,
        project_id=body.text("project_id", longest=bounds.max_id_chars),
        session_id=body.text("session_id", longest=bounds.max_id_chars),
        system_prompt=body.text("system_prompt"),
        uses_legacy_functions=tool_use.legacy,
        ignored=(
            *name_what_is_ignored(body, IGNORED, KNOWN),
            *_names_of_speakers(messages),
            *_marks_of_caches(body),
            *(web_search.ignored if web_search is not None else ()),
        ),
    )


def _names_of_speakers(messages: tuple[Message, ...]) -> tuple[str, ...]:
    """The Messages API has two sides and no names. (A result's name says what it belongs to.)"""
    return ("messages.name",) if any(one.name and one.role not in ("tool", "function") for one in messages) else ()


def _marks_of_caches(body: Fields) -> tuple[str, ...]:
    messages, tools = body.values["messages"], body.get("tools") or ()
    parts = (part for message in messages if isinstance(message.get("content"), list) for part in message["content"])
    # Beside what makes a tool of Anthropic's, a field of this name may be anything.
    functions = (function for tool in tools if isinstance(function := tool.get("function"), dict))
    places = {"messages": chain(messages, parts), "tools": chain(tools, functions)}
    return tuple(f"{name}.cache_control" for name, found in places.items() if any(map(is_marked, found)))
