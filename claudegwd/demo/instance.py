"""A small value that matches a JSON schema, for the demo's tool arguments and structured answers.

It supports what clients use in practice: type, enum, const, default, examples, properties, items, the three
combinators, local $ref and the size limits. For a schema that uses more, the value is approximate, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# Deeper than any schema written by hand; it ends the recursion of one that refers to itself.
MAX_DEPTH = 16
# A schema that refers to itself twice doubles at every level; this ends it long before the depth does.
MAX_VALUES = 500
# A schema may demand a million items; the demo's answer stays readable.
MAX_ITEMS = 5
MAX_CHARACTERS = 200

_FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.org",
}


def instance(schema: object, name: str = "value") -> Any:
    """A value for the schema; `name` is what texts in it refer to."""
    return _Builder(schema).value(schema, name, 0)


class _Builder:
    """Walks one schema; `root` is what local references start from."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._left = MAX_VALUES

    def value(self, schema: object, name: str, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self._left < 0:
            return None if schema is False else {}
        if isinstance(schema.get("$ref"), str):
            return self.value(_resolve(schema["$ref"], self._root), name, depth + 1)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("enum", "examples"):
            if isinstance(schema.get(key), list) and schema[key]:
                return schema[key][0]
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self.value(_first_typed(schema[key]), name, depth + 1)
        if isinstance(schema.get("allOf"), list) and "type" not in schema:
            return self.value(_merged(schema, self._root), name, depth + 1)
        return self._typed(schema, name, depth)

    def _typed(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                count = min(max(_count(schema, "minItems"), 1), _count(schema, "maxItems", MAX_ITEMS), MAX_ITEMS)
                return [self.value(schema.get("items", {"type": "string"}), name, depth + 1) for _ in range(count)]
            case "string":
                return _text(schema, name)
            case "integer":
                return math.ceil(_number(schema))
            case "number":
                return _number(schema)
            case "boolean":
                return True
            case _:
                return None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        wanted = [n for n in required if isinstance(n, str)] if isinstance(required, list) else []
        # With nothing required, an empty object would match, but the first property shows more.
        names = wanted or list(known)[:1]
        return {name: self.value(known.get(name, {"type": "string"}), name, depth + 1) for name in names}


def _type_of(schema: Mapping[str, Any]) -> object:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return kind


def _text(schema: Mapping[str, Any], name: str) -> str:
    form = schema.get("format")
    text = _FORMATS.get(form, "") if isinstance(form, str) else ""
    text = text or f"example {name.replace('_', ' ')}"
    text = text.ljust(min(_count(schema, "minLength"), MAX_CHARACTERS), ".")
    return text[: _count(schema, "maxLength", MAX_CHARACTERS)]


def _number(schema: Mapping[str, Any]) -> int | float:
    low, high = _limit(schema, "minimum"), _limit(schema, "maximum")
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    floor = low if low is not None else above + 1 if above is not None else None
    ceiling = high if high is not None else below - 1 if below is not None else None
    if floor is not None:
        return floor
    return min(1, ceiling) if ceiling is not None else 1


def _limit(schema: Mapping[str, Any], key: str) -> int | float | None:
    value = schema.get(key)
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None


def _count(schema: Mapping[str, Any], key: str, default: int = 0) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) and value >= 0 else default


def _first_typed(choices: list[Any]) -> object:
    """The first choice that is not null: an optional field is shown filled in."""
    return next((c for c in choices if not (isinstance(c, Mapping) and c.get("type") == "null")), choices[0])


def _merged(schema: Mapping[str, Any], root: object) -> dict[str, Any]:
    """The parts of an allOf as one schema: properties and required are joined, otherwise the last one counts."""
    merged: dict[str, Any] = {}
    for part in [*schema["allOf"], {k: v for k, v in schema.items() if k != "allOf"}]:
        points = isinstance(part, Mapping) and isinstance(part.get("$ref"), str)
        whole = _resolve(part["$ref"], root) if points else part
        if not isinstance(whole, Mapping):
            continue
        for key, value in whole.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                merged[key] = {**old, **value}
            elif isinstance(old, list) and isinstance(value, list):
                merged[key] = old + value
            else:
                merged[key] = value
    return merged


def _resolve(reference: str, root: object) -> object:
    """The part of the schema that a local reference such as `#/$defs/Name` points to."""
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if reference.startswith("#") else None
