"""Anthropic's Messages API for our own OpenAPI description."""

from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.schemas import COUNT, FLAG, TEXT, Schema, listed, one_of, optional, record, ref

MESSAGES_HEADERS: list[dict[str, Any]] = [
    {"name": "anthropic-version", "in": "header", "required": True, "schema": one_of("2023-06-01", "2026-10-21")},
    {"name": "anthropic-beta", "in": "header", "required": False, "schema": TEXT},
]


def messages_schemas(bounds: Bounds) -> dict[str, Schema]:
    """The schemas of its bodies, by name. Anthropic's other fields go to the upstream unchanged."""
    block = record("type", type={**TEXT, "minLength": 1})
    content: Schema = {"anyOf": [TEXT, listed(block, maxItems=bounds.max_parts)]}
    said: Schema = {"type": "string", "minLength": 1}
    texts = listed(record("type text", type=one_of("text"), text=said), maxItems=bounds.max_parts)
    message = record("role content", role=one_of("user", "assistant", "system"), content=content)
    fields: dict[str, Schema] = {
        "model": {**TEXT, "minLength": 1, "maxLength": bounds.max_model_chars},
        "messages": listed(message, minItems=1, maxItems=bounds.max_messages),
        **optional(
            system={"anyOf": [TEXT, texts]},
            tools=listed(record(name=TEXT, type=TEXT, description=TEXT, input_schema=record())),
            tool_choice=record("type", type=TEXT),
            thinking=record("type", type=TEXT),
        ),
    }
    limit: Schema = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    more = optional(
        stream=FLAG,
        temperature={"type": "number", "minimum": 0, "maximum": 1},
        top_p={"type": "number", "minimum": 0, "maximum": 1},
        top_k=COUNT,
        stop_sequences=listed(TEXT),
        metadata=record(),
        output_config=record(),
    )
    error = record("type message", type=TEXT, message=TEXT)
    return {
        "MessagesRequest": record("model messages max_tokens", **fields, max_tokens=limit, **more),
        "MessagesCounting": record("model messages", **fields),
        "MessagesAnswer": record(
            "id type role content model stop_reason usage", id=TEXT, type=one_of("message"), role=one_of("assistant"),
            content=listed(block), model=TEXT, stop_reason={"type": ["string", "null"]},
            usage=record("input_tokens output_tokens", input_tokens=COUNT, output_tokens=COUNT),
        ),
        "MessagesTokens": record("input_tokens", input_tokens=COUNT),
        "MessagesEvent": record("type", type=TEXT),
        "MessagesError": record("type error", type=one_of("error"), error=error, request_id=TEXT),
    }  # fmt: skip


def in_its_envelope(operation: dict[str, Any]) -> dict[str, Any]:
    """An operation whose errors are in Anthropic's format, with its statuses."""
    answered = {status: told for status, told in operation["responses"].items() if status == "200"}
    content = {"application/json": {"schema": ref("MessagesError")}}
    failed = {
        status: {**told, "content": content} for status, told in operation["responses"].items() if status != "200"
    }
    failed["402"] = {"description": "Every upstream key is out of credit.", "content": content}
    failed["529"] = {"description": "Too busy, or the upstream is unavailable.", "content": content}
    failed.pop("503", None)
    return {**operation, "parameters": MESSAGES_HEADERS, "responses": {**answered, **failed}}
