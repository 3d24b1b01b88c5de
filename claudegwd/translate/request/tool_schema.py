"""A tool's parameters in a form that the Messages API and the CLI accept, without loss.

Both reject some keywords at the root of a schema: the API rejects the request, the CLI drops the tool or rewrites it.
Such parts are moved into a definition that the root refers to, which means the same.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from claudegwd.openai_api.modern_schema import modern

Schema = Mapping[str, Any]

_EMPTY: Schema = {"type": "object", "properties": {}}
_COMBINATORS = ("anyOf", "oneOf", "allOf")
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Keywords about which properties are allowed belong together: `additionalProperties` refers to those next to it.
_OF_PROPERTIES = ("properties", "patternProperties", "additionalProperties")
_DEFINITION = "arguments"


def upstream_schema(parameters: Schema | None) -> Schema:
    """The schema of an object: as draft 2020-12, with nothing at its root that would be rejected."""
    # OpenAI's clients omit `type` for tools without parameters.
    schema = {**_EMPTY, **modern(dict(parameters or {}))}
    moved = [key for key in _COMBINATORS if key in schema]
    if not all(_KEY.fullmatch(name) for name in schema["properties"]):
        moved += [key for key in _OF_PROPERTIES if key in schema]
    return _with_moved(schema, moved) if moved else schema


def _with_moved(schema: dict[str, Any], moved: Collection[str]) -> Schema:
    definitions = schema.get("$defs", {})
    name = _DEFINITION
    while name in definitions:
        name += "_"
    inner = {key: schema[key] for key in moved}
    if "$ref" in schema:
        inner["allOf"] = [*inner.get("allOf", ()), {"$ref": schema["$ref"]}]
    rest = {key: value for key, value in schema.items() if key not in moved}
    target = f"#/$defs/{name}"
    made = {**_EMPTY, **rest, "$defs": {**definitions, name: inner}}
    made = _redirected(made, {f"#/{key}": f"{target}/{key}" for key in moved})
    return {**made, "$ref": target}


def _redirected(value: Any, moves: Mapping[str, str]) -> Any:
    """With every reference to something that was moved pointing to its new place."""
    if isinstance(value, list):
        return [_redirected(one, moves) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _redirected(one, moves) for key, one in value.items()}
    reference = made.get("$ref")
    if isinstance(reference, str):
        head = "/".join(reference.split("/", 2)[:2])
        made["$ref"] = moves.get(head, head) + reference.removeprefix(head)
    return made
