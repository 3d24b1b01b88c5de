"""Whether a JSON value satisfies a client's schema: the keywords that strict schemas are made of.

What is not known here passes, `pattern` among it: a client's regular expression could run for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Schemas can be written so that to check them takes exponential time. One that needs more steps than this is let pass:
# the model has done what it could.
MAX_STEPS = 50_000


def is_valid(value: object, schema: Mapping[str, Any]) -> bool:
    """Never raises, whatever the schema."""
    try:
        return SchemaCheck(schema).holds(value, schema)
    except (TooMuchError, RecursionError):
        return True


class TooMuchError(Exception):
    """More than MAX_STEPS."""


@dataclass(slots=True)
class SchemaCheck:
    """Checks values against parts of one schema, `root`, in which references point. Counts its steps over all of them.

    Raises TooMuchError and RecursionError.
    """

    root: Mapping[str, Any]
    steps: int = 0

    def holds(self, value: object, schema: object) -> bool:
        """Whether `value` satisfies this part."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooMuchError
        if not isinstance(schema, dict):
            return schema is not False
        return (
            self._is_one_of_types(value, schema)
            and self._is_listed(value, schema)
            and self._is_in_bounds(value, schema)
            and self._combines(value, schema)
            and (not isinstance(value, dict) or self._is_object(value, schema))
            and (not isinstance(value, list) or self._is_array(value, schema))
        )

    def _is_one_of_types(self, value: object, schema: Mapping[str, Any]) -> bool:
        kinds = schema.get("type")
        if kinds is None:
            return True
        return any(_is_type(value, kind) for kind in (kinds if isinstance(kinds, list) else [kinds]))

    def _is_listed(self, value: object, schema: Mapping[str, Any]) -> bool:
        if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
            return False
        return "const" not in schema or _same(value, schema["const"])

    def _is_in_bounds(self, value: object, schema: Mapping[str, Any]) -> bool:
        size: Any
        match value:
            case bool():
                return True
            case int() | float():
                size, bounds = value, ("minimum", "maximum")
                if not all(value > low for low in _numbers(schema, "exclusiveMinimum")):
                    return False
                if not all(value < high for high in _numbers(schema, "exclusiveMaximum")):
                    return False
            case str():
                size, bounds = len(value), ("minLength", "maxLength")
            case list():
                size, bounds = len(value), ("minItems", "maxItems")
            case _:
                return True
        low, high = bounds
        return all(size >= bound for bound in _numbers(schema, low)) and all(
            size <= bound for bound in _numbers(schema, high)
        )

    def _combines(self, value: object, schema: Mapping[str, Any]) -> bool:
        if "$ref" in schema and not self.holds(value, self.target(schema["$ref"])):
            return False
        if "anyOf" in schema and not any(self.holds(value, one) for one in schema["anyOf"]):
            return False
        if "oneOf" in schema and sum(self.holds(value, one) for one in schema["oneOf"]) != 1:
            return False
        if "not" in schema and self.holds(value, schema["not"]):
            return False
        return all(self.holds(value, one) for one in schema.get("allOf", ()))

    def _is_object(self, value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
        properties = schema.get("properties", {})
        if not all(name in value for name in schema.get("required", ())):
            return False
        others = schema.get("additionalProperties", True) if "patternProperties" not in schema else True
        return all(self.holds(one, properties.get(name, others)) for name, one in value.items())

    def _is_array(self, value: list[Any], schema: Mapping[str, Any]) -> bool:
        items = schema.get("items", True)
        if isinstance(items, list) or "prefixItems" in schema:
            return True
        return all(self.holds(one, items) for one in value)

    def target(self, reference: object) -> object:
        """The part that a `$ref` means; True where there is none."""
        found: Any = self.root
        for step in str(reference).removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                return True
            found = found[name]
        return found


def _numbers(schema: Mapping[str, Any], name: str) -> list[float]:
    bound = schema.get(name)
    return [bound] if isinstance(bound, int | float) and not isinstance(bound, bool) else []


def _is_type(value: object, kind: object) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            return _is_number(value) and float(value).is_integer()  # type: ignore[arg-type]  # it is a number
        case "number":
            return _is_number(value)
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
