"""Request parameters to the CLI's settings for one turn.

CLAUDE_CODE_EXTRA_BODY is merged by the CLI into the upstream body; every variable is always set, because the CLI keeps
what a turn does not name.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from claudegwd.openai_api.chat_request import ChatRequest, JsonObject, JsonSchema, NamedTool
from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.translate.catalogue import Model
from claudegwd.translate.tools import PREFIX, cli_name

_encode = msgspec.json.Encoder(order="deterministic").encode

# OpenAI's efforts to the CLI's. "none" asks for no thinking, "minimal" for as little as the model has.
_EFFORT = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}

# Thinking budgets (tokens) for models that take a budget and no effort; the upper one is the CLI's own default.
_BUDGET = {"minimal": 1024, "low": 4096, "medium": 12000, "high": 31999, "xhigh": 31999, "max": 31999}
MIN_BUDGET = 1024  # the Messages API's least thinking budget

# Where the client names no limit, an older model must still have room above its budget.
DEFAULT_MAX_TOKENS = 32000


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What is written to the live CLI before the question. Equal settings need not be written again."""

    model: str
    effort: str | None
    env: dict[str, str]
    ignored: tuple[str, ...] = field(default=(), compare=False)

    def values(self, credentials: dict[str, str]) -> dict[str, Any]:
        """The `settings` object of apply_flag_settings."""
        return {"model": self.model, "effortLevel": self.effort, "env": {**self.env, **credentials}}


def turn_settings(request: ChatRequest, model: Model) -> TurnSettings:
    """Raises UnsupportedParameter where a parameter cannot be honoured on this model."""
    ignored: list[str] = []
    body: dict[str, Any] = {}
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    choice = _tool_choice(request)
    if choice is not None:
        body["tool_choice"] = choice
    effort = _thinking(request, model, body, forced=choice is not None and choice["type"] in ("any", "tool"))
    _sampling(request, body, ignored)
    if request.response_format is not None:
        _structured(request.response_format, body)
    limit = str(request.max_tokens) if request.max_tokens is not None else ""
    env = {
        "CLAUDE_CODE_EXTRA_BODY": _encode(body).decode() if body else "",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": limit,
    }
    return TurnSettings(model.cli_name, effort, env, tuple(ignored))


def _tool_choice(request: ChatRequest) -> dict[str, Any] | None:
    if not request.tools:
        return None
    single = {"disable_parallel_tool_use": True} if request.parallel_tool_calls is False else {}
    match request.tool_choice:
        case NamedTool(name=name):
            return {"type": "tool", "name": PREFIX + cli_name(name), **single}
        case "required":
            return {"type": "any", **single}
        case "none":
            return {"type": "none"}
    return {"type": "auto", **single} if single else None


def _thinking(request: ChatRequest, model: Model, body: dict[str, Any], *, forced: bool) -> str | None:
    """Put `thinking` into the body where the model needs it said; return the CLI's effort level."""
    effort = request.reasoning_effort
    if model.thinking == "none":
        if effort not in (None, "none"):
            raise UnsupportedParameter(
                f"cannot reason with {model.id}: leave reasoning_effort out", param="reasoning_effort"
            )
        return None
    if model.thinking == "adaptive":
        if effort == "none":
            if not model.thinking_off:
                levels = ", ".join(model.efforts)
                raise UnsupportedParameter(
                    f"cannot turn reasoning off for {model.id}: it takes {levels}", param="reasoning_effort"
                )
            body["thinking"] = {"type": "disabled"}
            return None
        # Newer models leave the thinking text out unless it is asked for.
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        return _effort_level(effort, model)
    # Older models: the CLI would switch thinking on with a budget of 31,999 tokens, which forbids a temperature, a
    # forced tool and a small max_tokens. A client that did not ask for reasoning gets the API's own default: none.
    room = (request.max_tokens or DEFAULT_MAX_TOKENS) - 1
    if effort in (None, "none") or forced or room < MIN_BUDGET:
        body["thinking"] = {"type": "disabled"}
    else:
        body["thinking"] = {"type": "enabled", "budget_tokens": min(_BUDGET[effort], room)}
    return None


def _effort_level(effort: str | None, model: Model) -> str | None:
    if effort is None:
        return None
    level = _EFFORT[effort]
    if level not in model.efforts:
        levels = ", ".join(model.efforts) or "none"
        raise UnsupportedParameter(
            f"cannot use this effort with {model.id}: it takes {levels}", param="reasoning_effort"
        )
    return level


def _sampling(request: ChatRequest, body: dict[str, Any], ignored: list[str]) -> None:
    thinking = body.get("thinking", {}).get("type") in ("adaptive", "enabled")
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
        if value is None:
            continue
        if thinking and value != 1:
            # The Messages API refuses them while thinking is on, and nearly every client sends one by habit.
            ignored.append(name)
        elif name == "temperature":
            body[name] = min(value, 1.0)  # OpenAI's scale ends at 2, Anthropic's at 1
            if value > 1:
                ignored.append("temperature>1")
        elif "temperature" not in body:
            body[name] = value
        else:
            ignored.append(name)  # newer models take one of the two


def _structured(wanted: JsonObject | JsonSchema, body: dict[str, Any]) -> None:
    schema = wanted.schema if isinstance(wanted, JsonSchema) else {"type": "object"}
    body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
