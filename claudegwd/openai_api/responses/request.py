"""POST /v1/responses: turns the body into a chat request, and the parameters that only the response object needs.

Source: OpenAI's ``CreateResponse``, and what Codex, Copilot and the official SDKs send. The resulting chat is planned,
asked and pooled like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import ChatRequest, Message, TextPart
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields, refuse
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.json_schema import check_depth
from claudegwd.openai_api.pairing import pair_calls
from claudegwd.openai_api.parameters import (
    MAX_NAMED,
    MAX_TOKENS,
    is_header_safe,
    name_what_is_ignored,
    refuse_what_cannot_be_honoured,
)
from claudegwd.openai_api.responses.compaction import read_threshold
from claudegwd.openai_api.responses.input import History, Placed, input_items, kept_of, read_items, resolved
from claudegwd.openai_api.responses.parameters import (
    IGNORED,
    KNOWN,
    REFUSED,
    SOURCES,
    ReasoningSettings,
    TextSettings,
    read_include,
    read_metadata,
    read_reasoning,
    read_text,
)
from claudegwd.openai_api.responses.paths import Paths
from claudegwd.openai_api.responses.tools import CallShape, ResponsesTools, read_tools

# Returned in the response or kept with it, whatever else it contains, so it must not be too deep to write.
_REPEATED = ("input", "tools", "tool_choice", "text")


class Earlier(Protocol):
    """What is kept of the same client's earlier responses, and what was sealed for it. Raises BodyTooLarge if it is
    more than one request may hold."""

    def conversation(self, ident: str, bounds: Bounds) -> History | None:
        """Everything that was said up to the end of that response; None if it is not kept."""

    def item(self, ident: str) -> Mapping[str, Any] | None:
        """One item of an earlier response."""

    def unsealed(self, sealed: str) -> str | None:
        """The text of a compaction item; None if it was not made for this client."""


class ResponsesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request. `chat` is what is asked; `echo` are the fields that the response object repeats.

    `compacts`: the compacted conversation is wanted instead of an answer; `threshold`: compact before answering, from
    this many tokens on.
    """

    chat: ChatRequest
    items: list[dict[str, Any]]  # its own input, without what came before
    history: History  # with what came before
    previous: str | None
    store: bool
    background: bool
    shapes: dict[str, CallShape]
    paths: Paths
    echo: dict[str, Any]
    compacts: bool
    threshold: int | None
    sources: bool  # list all pages that a search finds, not only cited ones

    def words(self) -> tuple[dict[str, Any], ...]:
        """The user's items that stay when the conversation is compacted."""
        return tuple(
            one.item.values
            for one in kept_of(self.history.placed)
            if one.item is not None and one.message.role == "user" and one.item.get("type") in (None, "message")
        )


def parse_responses_request(body: bytes, bounds: Bounds, earlier: Earlier) -> ResponsesRequest:
    """Read and check the body of one request; raises a CallerError with the path of the field at fault."""
    return read_responses_request(Fields(read_object(body, bounds)), bounds, earlier)


def read_responses_request(body: Fields, bounds: Bounds, earlier: Earlier) -> ResponsesRequest:
    """The same, from a decoded object."""
    model = body.needed_text("model", longest=bounds.max_model_chars)
    refuse_what_cannot_be_honoured(body, REFUSED)
    for name in _REPEATED:
        value = body.get(name)
        if isinstance(value, dict | list):
            check_depth(value, name, bounds)
    previous = body.text("previous_response_id", longest=bounds.max_id_chars) or None
    before = _before(previous, earlier, bounds)
    instructions = body.text("instructions")
    own = resolved(input_items(body, bounds), earlier.item)
    compacts = bool(own) and own[-1].get("type") == "compaction_trigger"
    if compacts:
        own.pop()
    if before.items + len(own) > bounds.max_messages:
        refuse("input", f"it must contain at most {bounds.max_messages} items, including earlier ones")
    history = read_items(own, bounds, earlier.unsealed, before)
    placed = [*_instructed(instructions), *history.placed]
    if not own and not before.items and not instructions:
        fault = "missing" if body.get("input") is None else "empty"
        refuse("input", f"it is {fault}; send a string or a list of items")
    tools = read_tools(body, bounds, history.tools)
    text = read_text(body, bounds)
    reasoning = read_reasoning(body)
    paths = _paths(placed, tools)
    most = body.whole("max_tool_calls", 1, MAX_TOKENS)
    search = msgspec.structs.replace(tools.search, most=most) if tools.search is not None else None
    try:
        messages = pair_calls([one.message for one in placed])
    except InvalidRequest as error:
        raise paths.told(error) from None
    chat = ChatRequest(
        model=model,
        messages=messages,
        stream=body.flag("stream") or False,
        max_tokens=body.whole("max_output_tokens", 1, MAX_TOKENS),
        temperature=body.number("temperature", 0, 2),
        top_p=body.number("top_p", 0, 1),
        tools=tools.tools,
        tool_choice=tools.choice,
        parallel_tool_calls=body.flag("parallel_tool_calls"),
        response_format=text.format,
        reasoning_effort=reasoning.effort,
        prompt_cache_key=body.text("prompt_cache_key", longest=bounds.max_id_chars),
        web_search=search,
        ignored=_ignored(body, history, tools, text, reasoning),
    )
    store = body.flag("store") is not False
    background = body.flag("background") or False
    if background and not store:
        refuse("background", "a background response has to be stored to be retrieved; omit store")
    return ResponsesRequest(
        chat=chat,
        items=[item.values for item in own],
        history=history,
        previous=previous,
        store=store,
        shapes=tools.shapes,
        paths=paths,
        echo={
            **_echo(body, chat, tools, text, reasoning),
            "instructions": instructions,
            "previous_response_id": previous,
            "store": store,
            "background": background,
        },
        background=background,
        compacts=compacts,
        threshold=read_threshold(body),
        sources=SOURCES in (body.get("include") or ()),
    )


def _before(previous: str | None, earlier: Earlier, bounds: Bounds) -> History:
    if previous is None:
        return History()
    history = earlier.conversation(previous, bounds)
    if history is None:
        raise InvalidRequest(
            "cannot continue from previous_response_id: no such response is stored; send the whole input",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    return history


def _instructed(instructions: str | None) -> list[Placed]:
    # They are for this response only, and so are never kept with an earlier one.
    if not instructions:
        return []
    return [Placed(Message(role="system", content=(TextPart(instructions),)), "instructions")]


def _paths(placed: Sequence[Placed], tools: ResponsesTools) -> Paths:
    return Paths(
        messages=tuple(one.path for one in placed),
        tools=tools.paths,
        results=frozenset(index for index, one in enumerate(placed) if one.message.role == "tool"),
    )


def _ignored(
    body: Fields, history: History, tools: ResponsesTools, text: TextSettings, reasoning: ReasoningSettings
) -> tuple[str, ...]:
    names = [*history.ignored, *tools.skipped, *reasoning.ignored, *read_include(body)]
    if text.verbosity not in (None, "medium"):
        names.append("text.verbosity")
    if tools.search is None and body.get("max_tool_calls") is not None:
        names.append("max_tool_calls")  # it counts calls of tools that the client does not run
    names += name_what_is_ignored(body, IGNORED, KNOWN)
    return tuple(name for name in dict.fromkeys(names) if is_header_safe(name))[:MAX_NAMED]


def _echo(
    body: Fields, chat: ChatRequest, tools: ResponsesTools, text: TextSettings, reasoning: ReasoningSettings
) -> dict[str, Any]:
    """The fields of the response object that repeat the request, with OpenAI's defaults for those left out."""
    user = {"user": body.get("user")} if body.get("user") is not None else {}
    return {
        "max_output_tokens": chat.max_tokens,
        "max_tool_calls": body.get("max_tool_calls"),
        "metadata": read_metadata(body),
        "parallel_tool_calls": chat.parallel_tool_calls is not False,
        "prompt_cache_key": chat.prompt_cache_key,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "temperature": 1.0 if chat.temperature is None else chat.temperature,
        "text": text.shown,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": tools.shown,
        "top_logprobs": 0,
        "top_p": 1.0 if chat.top_p is None else chat.top_p,
        "truncation": "disabled",
        **user,
    }
