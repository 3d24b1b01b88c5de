"""Helpers for writing the schemas of our own OpenAPI description."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NULL: Schema = {"type": "null"}


def ref(name: str) -> Schema:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(*values: str) -> Schema:
    """A string with one of these values."""
    return {"type": "string", "enum": list(values)}


def listed(items: Schema, **more: Any) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items, **more}


def record(needed: str = "", /, **properties: Schema) -> Schema:
    """An object; `needed` are the names of its required fields. Further fields are always accepted."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": needed.split()} if needed else schema


def optional(**properties: Schema) -> dict[str, Schema]:
    """Fields that may be omitted or, equivalently, null."""
    return {name: {"anyOf": [schema, NULL]} for name, schema in properties.items()}
