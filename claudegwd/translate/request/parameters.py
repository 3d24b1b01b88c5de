"""Turns request parameters into the CLI's settings for one turn.

The CLI merges CLAUDE_CODE_EXTRA_BODY into the upstream body. Every variable is always set, because the CLI keeps the
value of any that a turn does not set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from claudegwd.openai_api.chat.request import ChatRequest, NamedTool
from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.tools import cli_name

_encode = msgspec.json.Encoder().encode  # keeps the order: a schema's determines the answer's

EXTRA_BODY = "CLAUDE_CODE_EXTRA_BODY"
MAX_OUTPUT_TOKENS = "CLAUDE_CODE_MAX_OUTPUT_TOKENS"
# The name of the upstream's search among its tools.
WEB_SEARCH = "web_search"

# OpenAI's efforts to the CLI's. "none" asks for no thinking, "minimal" for the least that the model has.
_EFFORT = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}

# Thinking budgets (tokens) for models that take a budget and no effort.
_BUDGET = {"minimal": 1024, "low": 4096, "medium": 12000, "high": 24000, "xhigh": 24000, "max": 24000}
MIN_BUDGET = 1024  # the minimum of the Messages API

# The limit that the CLI sets for those models if the client sets none.
DEFAULT_MAX_TOKENS = 32000

_OFF = {"type": "disabled"}


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What is sent to the live CLI before the question. Equal settings need not be sent again.

    `ignored`: parameters that this model cannot honour, for the header x-claudegw-ignored.
    """

    model: str
    effort: str | None
    env: dict[str, str]
    ignored: tuple[str, ...] = field(default=(), compare=False)

    def values(self, credentials: dict[str, str]) -> dict[str, Any]:
        """The `settings` object of apply_flag_settings."""
        return {"model": self.model, "effortLevel": self.effort, "env": {**self.env, **credentials}}

    @property
    def body(self) -> dict[str, Any]:
        """What the CLI is told to merge into the upstream body."""
        body: dict[str, Any] = msgspec.json.decode(self.env[EXTRA_BODY] or b"{}")
        return body

    def without_thinking(self) -> "TurnSettings":
        """The same, with thinking off."""
        return replace(self, env={**self.env, EXTRA_BODY: _encode({**self.body, "thinking": _OFF}).decode()})


def turn_settings(
    request: ChatRequest,
    model: Model,
    *,
    output: Mapping[str, Any] | None = None,
    prefill: bool = False,
    no_calls: bool = False,
) -> TurnSettings:
    """`output`: the upstream's structured output; `prefill`: the model continues a message of its own; `no_calls`: the
    tools come from the history, and must not be called.

    Raises UnsupportedParameter if this model cannot honour a parameter.
    """
    ignored: list[str] = [*request.left_aside]
    body: dict[str, Any] = {}
    stops = [stop for stop in request.stop if stop.strip()]  # not only white space: the API rejects that
    if stops:
        body["stop_sequences"] = stops
    choice = {"type": "none"} if no_calls else _tool_choice(request)
    if choice is not None:
        body["tool_choice"] = choice
    forced = choice is not None and choice["type"] in ("any", "tool")
    effort = _thinking(request, model, body, ignored, can_think=not forced and not prefill)
    _sampling(request, body, ignored)
    if output is not None:
        body["output_config"] = {"format": output}
    if any(tool.strict for tool in request.tools):
        ignored.append("tools.strict")  # the model sees the whole schema, but may not follow it
    env = {
        EXTRA_BODY: _encode(body).decode() if body else "",
        # The CLI lowers it to the model's maximum; nobody would do that in the body.
        MAX_OUTPUT_TOKENS: str(request.max_tokens) if request.max_tokens is not None else "",
    }
    return TurnSettings(model.cli_name, effort, env, tuple(ignored))


def _tool_choice(request: ChatRequest) -> dict[str, Any] | None:
    if request.web_search is not None and request.web_search.demanded:
        return {"type": "tool", "name": WEB_SEARCH}
    if not request.tools:
        return None
    single = {"disable_parallel_tool_use": True} if request.parallel_tool_calls is False else {}
    match request.tool_choice:
        case NamedTool(name=name):
            return {"type": "tool", "name": cli_name(name), **single}
        case "required":
            return {"type": "any", **single}
        case "none":
            return {"type": "none"}
    return {"type": "auto", **single} if single else None


def _thinking(
    request: ChatRequest, model: Model, body: dict[str, Any], ignored: list[str], *, can_think: bool
) -> str | None:
    """Put `thinking` into the body if the model needs it; return the CLI's effort level.

    `can_think`: the Messages API rejects thinking with a forced tool, and after a prefill.
    """
    effort = request.reasoning_effort
    match model.thinking:
        case "none":
            if effort not in (None, "none"):
                ignored.append("reasoning_effort")  # agents send it to every model
            return None
        case "adaptive":
            level = _level(effort, model, ignored)
            if effort == "none" or (not can_think and model.thinking_off):
                body["thinking"] = _OFF
            else:
                # Newer models omit the thinking text unless asked for it.
                body["thinking"] = {"type": "adaptive", "display": "summarized"}
            return level
    body["thinking"] = _budget(request, effort) if can_think else _OFF
    if effort not in (None, "none") and body["thinking"] == _OFF:
        ignored.append("reasoning_effort")
    return None


def _budget(request: ChatRequest, effort: str | None) -> dict[str, Any]:
    """Thinking of older models. The CLI would turn it on with nearly the whole limit as budget, which leaves no room
    for the answer and rules out a temperature; a client that did not ask for it gets the API's default: none."""
    if effort in (None, "none"):
        return _OFF
    room = (request.max_tokens or DEFAULT_MAX_TOKENS) * 3 // 4  # the limit counts both: leave the answer a quarter
    budget = min(_BUDGET[effort or ""], room)
    return {"type": "enabled", "budget_tokens": budget} if budget >= MIN_BUDGET else _OFF


def _level(effort: str | None, model: Model, ignored: list[str]) -> str | None:
    """The CLI's level, None for its default. Raises UnsupportedParameter, which lists the levels of the model."""
    if effort is None or (effort == "none" and model.thinking_off):
        return None
    if not model.efforts and effort != "none":
        ignored.append("reasoning_effort")
        return None
    level = _EFFORT.get(effort)
    if level in model.efforts:
        return level
    taken = [name for name, level in _EFFORT.items() if level in model.efforts]
    levels = ", ".join((["none"] if model.thinking_off else []) + taken) or "none"
    raise UnsupportedParameter(
        f"cannot use this reasoning_effort with {model.id}: it supports {levels}", param="reasoning_effort"
    )


def _sampling(request: ChatRequest, body: dict[str, Any], ignored: list[str]) -> None:
    """Temperature and top_p. 1 is the API's default for both, and left out, as some models accept no other value."""
    thinking = body.get("thinking", _OFF)["type"] != "disabled"
    if request.temperature is not None and request.temperature != 1:
        if thinking or request.temperature > 1:
            # The API rejects it while thinking is on, and nearly every client sends one; OpenAI's scale ends at 2,
            # Anthropic's at 1.
            ignored.append("temperature")
        else:
            body["temperature"] = request.temperature
    if request.top_p is not None and request.top_p != 1:
        if thinking or "temperature" in body:
            ignored.append("top_p")  # newer models take only one of the two
        else:
            body["top_p"] = request.top_p
