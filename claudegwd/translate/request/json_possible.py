"""Whether any value can satisfy a client's schema: a request with an impossible one would pay for an answer only to
fail.

It detects common mistakes. Anything that it cannot decide counts as possible.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claudegwd.openai_api.json_body import shown
from claudegwd.openai_api.json_schema import MAPS, ONES

MAX_STEPS: Final = 10_000  # each level of choices within choices doubles the work
_BOUNDS: Final = {
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def impossible(schema: Mapping[str, Any]) -> str | None:
    """The path, within the schema of an object, of the first demand that no value meets (`.properties.a.enum`)."""
    try:
        return _Search(schema).fault({"type": "object", **schema}, "", ())
    except (_TooMuchError, RecursionError):
        return None


class _TooMuchError(Exception):
    """More than MAX_STEPS."""


@dataclass(slots=True)
class _Search:
    root: Mapping[str, Any]
    steps: int = 0

    def fault(self, schema: object, path: str, within: tuple[str, ...]) -> str | None:
        """Where `schema` demands the impossible. `within`: the references that contain this value."""
        self._step(1)
        if not isinstance(schema, dict):
            return path if schema is False else None
        return (
            self._listed(schema, path)
            or self._referred(schema, path, within)
            or self._combined(schema, path, within)
            or self._of_a_kind(schema, path, within)
        )

    def _step(self, count: int) -> None:
        """Each part of a schema may be reached by many references, so whatever is walked through counts each time."""
        self.steps += count
        if self.steps > MAX_STEPS:
            raise _TooMuchError

    def _listed(self, schema: Mapping[str, Any], path: str) -> str | None:
        if schema.get("not") is True or schema.get("not") == {}:
            return f"{path}.not"
        keyword = "enum" if "enum" in schema else "const"
        if keyword not in schema:
            return None
        values = schema.get("enum", ())
        self._step(len(values))
        if "const" in schema:
            const = schema["const"]
            values = [const] if keyword == "const" or _is_among(const, values) else ()
        kinds = _kinds(schema)
        return None if any(_types(value) & kinds for value in values) else f"{path}.{keyword}"

    def _target(self, reference: str) -> object:
        """The schema that a reference points to. True if it is not found by a path, or at a place that nobody checked:
        anything may be there."""
        if reference != "#" and not reference.startswith("#/"):
            return True  # an anchor, or another document
        self._step(reference.count("/"))
        found: Any = self.root
        keyword = ""  # of the map of schemas that `found` is
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found or not (keyword or name in (*MAPS, *ONES)):
                return True
            found = found[name]
            keyword = name if not keyword and name in MAPS else ""
        return found if not keyword else True

    def _referred(self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> str | None:
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return None
        if reference in within:
            return f"{path}.$ref"  # a value that must contain another of its kind never ends
        found = self.fault(self._target(reference), path, (*within, reference))
        return f"{path}.$ref" if found is not None else None

    def _combined(self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> str | None:
        for number, one in enumerate(schema.get("allOf", ())):
            if (found := self.fault(one, f"{path}.allOf[{number}]", within)) is not None:
                return found
        kinds = [_kinds(one) for one in (schema, *schema.get("allOf", ()))]
        if "allOf" in schema and not set.intersection(*kinds):
            return f"{path}.allOf"
        for keyword in ("anyOf", "oneOf"):
            choices = schema.get(keyword, ())
            if choices and all(self.fault(one, path, within) is not None for one in choices):
                return f"{path}.{keyword}"
        return None

    def _of_a_kind(self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> str | None:
        """A fault that applies to every type that it may have."""
        if "type" not in schema:
            return None
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        self._step(len(kinds))
        faults = [next(self._of(kind, schema, path, within), None) for kind in kinds]
        return faults[0] if all(found is not None for found in faults) else None

    def _of(self, kind: str, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> Iterator[str]:
        low, high = _BOUNDS.get(kind, ("", ""))
        if _is_number(schema.get(low)) and _is_number(schema.get(high)) and schema[low] > schema[high]:
            yield f"{path}.{high}"
        if kind == "array" and _is_number(schema.get("minItems")) and schema["minItems"] >= 1:
            found = self.fault(schema.get("items", True), f"{path}.items", within)
            if found is not None:
                yield found
        if kind == "object":
            yield from self._required(schema, path, within)

    def _required(self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> Iterator[str]:
        self._step(len(schema.get("required", ())))
        required = set(schema.get("required", ()))
        if _is_number(schema.get("maxProperties")) and schema["maxProperties"] < len(required):
            yield f"{path}.maxProperties"
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True) if "patternProperties" not in schema else True
        for name in schema.get("required", ()):
            where = f"{path}.properties.{shown(name)}" if name in properties else f"{path}.required"
            found = self.fault(properties.get(name, others), where, within)
            if found is not None:
                yield found


def _is_among(value: object, values: list[Any]) -> bool:
    # Containers are compared by Python's equality: true for 1 inside them goes unnoticed.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values)


def _types(value: object) -> set[str]:
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case int():
            return {"integer", "number"}
        case float():
            return {"integer", "number"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
    return {"array"} if isinstance(value, list) else {"object"}


def _kinds(schema: object) -> set[str]:
    every = {"array", "boolean", "integer", "null", "number", "object", "string"}
    kinds = schema.get("type") if isinstance(schema, dict) else None
    if kinds is None:
        return every
    named = set(kinds if isinstance(kinds, list) else [kinds])
    return named | {"integer"} if "number" in named else named


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
