"""The parameters of a Responses request other than its input and tools, and how the response object repeats them."""

from typing import Any

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.json_body import shown
from claudegwd.openai_api.parameters import IGNORED as CHAT_IGNORED
from claudegwd.openai_api.parameters import (
    OF_ANTHROPICS_API,
    REASONING_EFFORTS,
    VERBOSITIES,
    Asks,
    given,
    some_object,
)
from claudegwd.openai_api.response_format import ResponseFormat, read_json_object, read_json_schema

_CONTEXTS = ("auto", "current_turn", "all_turns")
_SUMMARIES = ("auto", "concise", "detailed")
_INCLUDES = 20  # OpenAI knows eight
SOURCES = "web_search_call.action.sources"

# fmt: off
HONOURED = frozenset({
    "model", "input", "instructions", "previous_response_id", "store", "stream", "stream_options", "tools",
    "tool_choice", "parallel_tool_calls", "text", "reasoning", "temperature", "top_p", "max_output_tokens", "metadata",
    "prompt_cache_key", "include", "context_management",
    "background", "max_tool_calls",
})
# fmt: on


REFUSED: dict[str, tuple[Asks, str]] = {
    "conversation": (given, "conversations are not stored; use previous_response_id or send the whole input"),
    "prompt": (some_object, "prompt templates are not supported; send the text in instructions and input"),
    "top_logprobs": (lambda body, name: bool(body.whole(name, 0, 20)), "the model provides no log probabilities"),
    "moderation": (given, "moderation is not supported; omit it"),
    "messages": (
        lambda body, name: given(body, name) and not given(body, "input"),
        "it belongs to chat completions; send such a request to /v1/chat/completions, or use input",
    ),
    **OF_ANTHROPICS_API,
}
IGNORED: dict[str, Asks] = {
    **{
        name: CHAT_IGNORED[name]
        for name in ("user", "safety_identifier", "service_tier", "prompt_cache_retention", "prompt_cache_options")
    },
    "truncation": lambda body, name: body.one_of(name, ("auto", "disabled")) == "auto",
}
KNOWN = HONOURED | REFUSED.keys()


class TextSettings(msgspec.Struct, frozen=True):
    """What `text` says; `shown` is how the response object repeats it."""

    format: ResponseFormat | None
    verbosity: str | None
    shown: dict[str, Any]


class ReasoningSettings(msgspec.Struct, frozen=True):
    """What `reasoning` says. A summary is given whether or not it is requested, in a single length."""

    effort: str | None
    summary: str | None
    ignored: tuple[str, ...]


def read_text(body: Fields, bounds: Bounds) -> TextSettings:
    """Read `text`: the format of the answer, and how long it should be."""
    fields = body.object("text") or Fields({}, "text")
    verbosity = fields.one_of("verbosity", VERBOSITIES)
    inner = fields.object("format")
    form = _format(inner, bounds) if inner is not None else None
    repeated = {"format": inner.values if inner is not None and form is not None else {"type": "text"}}
    return TextSettings(form, verbosity, repeated | ({"verbosity": verbosity} if verbosity else {}))


def _format(fields: Fields, bounds: Bounds) -> ResponseFormat | None:
    kind = fields.one_of("type", ("text", "json_object", "json_schema"))
    if kind is None:
        refuse(fields.at("type"), "it is missing; use text, json_object or json_schema")
    if kind == "text":
        return None
    return read_json_object(fields, bounds) if kind == "json_object" else read_json_schema(fields, bounds)


def read_reasoning(body: Fields) -> ReasoningSettings:
    """Read `reasoning`."""
    fields = body.object("reasoning")
    if fields is None:
        return ReasoningSettings(None, None, ())
    older = fields.one_of("generate_summary", _SUMMARIES)
    summary = fields.one_of("summary", _SUMMARIES) or older
    ignored = ["reasoning.summary"] if summary in ("concise", "detailed") else []
    # Of earlier thinking, the model's API keeps only that of the current turn.
    if fields.one_of("context", _CONTEXTS) == "all_turns":
        ignored.append("reasoning.context")
    if fields.text("mode") not in (None, "standard"):
        ignored.append("reasoning.mode")
    return ReasoningSettings(fields.one_of("effort", REASONING_EFFORTS), summary, tuple(ignored))


def read_metadata(body: Fields) -> dict[str, str]:
    """Read `metadata`, texts that come back with the response."""
    fields = body.object("metadata")
    if fields is None:
        return {}
    for key, value in fields.values.items():
        if not isinstance(value, str):
            refuse(f"metadata.{shown(key)}", "it must be a string")
    return fields.values


def read_include(body: Fields) -> tuple[str, ...]:
    """Check `include`; return the names of what has no counterpart.

    Signatures of thinking stay on our side (translate/signatures.py), so `reasoning.encrypted_content` would be empty,
    and agents that ask for it get everything that they want it for.
    """
    found = []
    for index, value in enumerate(body.array("include", longest=_INCLUDES) or ()):
        if not isinstance(value, str):
            refuse(f"include[{index}]", "it must be a string")
        if value == "message.output_text.logprobs":
            cannot_honour(f"include[{index}]", "the model provides no log probabilities; omit it")
        if value != SOURCES:
            found.append(f"include.{value}")
    return tuple(found)
