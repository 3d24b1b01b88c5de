"""response_format: how to make the model comply with it, and whether it did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from claudegwd.openai_api.chat.request import JsonObject, JsonSchema
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.answer.json_check import fault
from claudegwd.translate.request.json_format import output_schema
from claudegwd.translate.request.json_possible import impossible

_ONLY_JSON = (
    "Unless you call a tool, answer with one JSON object and nothing else: no words before or after it, no code fence."
)
_SCHEMA = "The object must satisfy this JSON Schema:"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """One of two ways: the upstream's structured output (`output`), or an instruction to the model (`instruction`)."""

    output: Mapping[str, Any] | None
    instruction: str
    schema: Mapping[str, Any] | None  # which the answer is checked against; None: any object
    wanted: Mapping[str, Any] | None = None  # the client's, strict or not

    def fault(self, text: str) -> str | None:
        """Why this text is not an answer in the format, for the model to read; None if it is one."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return "it does not hold one whole JSON object"
        found = fault(value, self.schema) if self.schema is not None else None
        return f"the object does not satisfy the JSON Schema: {found}" if found is not None else None

    def correction(self, fault: str) -> str:
        """What to tell the model after an answer with this fault."""
        words = [f"That answer cannot be used: {fault}. Give it once more. {_ONLY_JSON}"]
        if self.wanted is not None:
            words += [_SCHEMA, encode(self.wanted).decode()]
        return "\n".join(words)


def answer_format(wanted: JsonObject | JsonSchema | None, *, structured: bool) -> AnswerFormat | None:
    """How to get the wanted format; `structured`: whether the model has structured output.

    Structured output cannot express an object of any shape, nor some schemas: those are requested in words. Raises
    InvalidRequest for a schema that is not for an object, or that no object can satisfy.
    """
    if wanted is None:
        return None
    if isinstance(wanted, JsonObject):
        return AnswerFormat(None, _ONLY_JSON, None)
    schema = wanted.schema
    _check_root(schema, wanted.param)
    checked = schema if wanted.strict else None
    output = output_schema(schema) if structured else None
    if output is not None:
        return AnswerFormat({"type": "json_schema", "schema": output}, "", checked, schema)
    words = (_ONLY_JSON, _SCHEMA, encode(schema).decode())
    return AnswerFormat(None, "\n".join(words), checked, schema)


def _check_root(schema: Mapping[str, Any], param: str) -> None:
    # OpenAI has the same rule: the root is an object, not a choice of several.
    kind = schema.get("type", "object")
    if kind != "object" or "anyOf" in schema or "oneOf" in schema:
        raise InvalidRequest(
            "cannot use this schema: its root must be of type object; put anything else into a property",
            param=param,
        )
    fault = impossible(schema)
    if fault is not None:
        raise InvalidRequest(
            "cannot use this schema: nothing can satisfy it at this point; relax it",
            param=f"{param}{fault}",
        )
