"""The format that the answer must have: response_format."""

import re
from typing import Any, TypeAlias

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, refuse
from claudegwd.openai_api.json_schema import check_schema

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # OpenAI's rule


class JsonObject(msgspec.Struct, frozen=True, tag="json_object"):
    """Any JSON object."""


class JsonSchema(msgspec.Struct, frozen=True, tag="json_schema"):
    """JSON that matches a schema. `strict` is OpenAI's word for "always"; without it, the model does its best."""

    name: str
    schema: dict[str, Any]
    strict: bool = False
    description: str | None = None
    param: str = "response_format.json_schema.schema"  # where the client gave the schema


ResponseFormat: TypeAlias = JsonObject | JsonSchema


def read_response_format(body: Fields, bounds: Bounds) -> ResponseFormat | None:
    """Read `response_format`; None is text."""
    fields = body.object("response_format")
    if fields is None:
        return None
    kind = fields.one_of("type", ("text", "json_object", "json_schema"))
    if kind is None:
        refuse(fields.at("type"), "it is missing; use text, json_object or json_schema")
    if kind == "text":
        return None
    if kind == "json_object":
        return read_json_object(fields, bounds)
    return read_json_schema(fields.needed_object("json_schema"), bounds)


def read_json_object(fields: Fields, bounds: Bounds) -> ResponseFormat:
    """Read a format for objects, with or without a `schema`: llama.cpp, Fireworks and others accept one there."""
    schema = fields.object("schema")
    if schema is None:
        return JsonObject()
    check_schema(schema.values, schema.path, bounds)
    return JsonSchema("json_object", schema.values, strict=True, param=schema.path)


def read_json_schema(inner: Fields, bounds: Bounds) -> JsonSchema:
    """Read the object that contains a schema and its name."""
    name = inner.needed_text("name")
    if not _NAME.fullmatch(name):
        refuse(inner.at("name"), "it must be 1 to 64 letters, digits, _ or -")
    schema = inner.object("schema")
    if schema is None:
        # Optional in OpenAI's description: then any object.
        values: dict[str, Any] = {"type": "object"}
    else:
        values = schema.values
        check_schema(values, schema.path, bounds)
    return JsonSchema(name, values, inner.flag("strict") or False, inner.text("description"))
