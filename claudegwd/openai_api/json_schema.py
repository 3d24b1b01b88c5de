"""Checks the basic structure of a client's JSON Schema.

Schemas of draft 2020-12 are accepted as they are (draft_2020.py). In others only what no draft allows is rejected, with
the path of the keyword; unknown keywords are accepted. This is enough for the schema of an answer; those of tools must
be of draft 2020-12 (modern_schema.py).
"""

from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.draft_2020 import JSON_TYPES, is_draft_2020
from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.json_body import shown

MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
TEXTS = ("title", "description", "format")
ONES = ("additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "items")


def check_schema(schema: dict[str, Any], path: str, bounds: Bounds) -> None:
    """Raise InvalidRequest with the path of the first keyword that is invalid in every draft."""
    check_depth(schema, path, bounds)
    if is_draft_2020(schema):
        return
    waiting: list[tuple[object, str]] = [(schema, path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, bool):
            continue
        if not isinstance(value, dict):
            refuse(path, "it must be a JSON Schema: an object, true or false")
        _check_keywords(value, path)
        waiting.extend(children(value, path))


def check_depth(value: dict[str, Any] | list[Any], path: str, bounds: Bounds) -> None:
    """Raise InvalidRequest for anything nested deeper than the bound, whatever it contains."""
    level: list[Any] = [value]
    for _ in range(bounds.max_depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if outer.__class__ is dict else outer)
            if inner.__class__ is dict or inner.__class__ is list
        ]
        if not level:
            return
    refuse(path, f"it must not be nested deeper than {bounds.max_depth}")


def _check_keywords(schema: dict[str, object], path: str) -> None:
    kind = schema.get("type", "object")
    kinds = kind if isinstance(kind, list) else [kind]
    if not kinds or not all(isinstance(one, str) and one in JSON_TYPES for one in kinds):
        refuse(f"{path}.type", "it must be one of " + ", ".join(JSON_TYPES) + ", or a list of those")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        refuse(f"{path}.required", "it must be a list of property names")
    if not isinstance(schema.get("enum", []), list):
        refuse(f"{path}.enum", "it must be a list")
    if not isinstance(schema.get("$ref", ""), str):
        refuse(f"{path}.$ref", "it must be a string")
    for keyword in TEXTS:
        # Generators write null for what they leave open.
        if not isinstance(schema.get(keyword), str | None):
            refuse(f"{path}.{keyword}", "it must be a string")


def children(schema: dict[str, object], path: str) -> list[tuple[object, str]]:
    """The schemas directly inside this one, with their paths. Raises InvalidRequest if there is anything else."""
    children: list[tuple[object, str]] = []
    for keyword in MAPS:
        value = schema.get(keyword, {})
        if not isinstance(value, dict):
            refuse(f"{path}.{keyword}", "it must be an object of schemas")
        children += [(child, f"{path}.{keyword}.{shown(name)}") for name, child in value.items()]
    for keyword in LISTS:
        if keyword not in schema:
            continue
        value = schema[keyword]
        if not isinstance(value, list) or not value:
            refuse(f"{path}.{keyword}", "it must be a non-empty list of schemas")
        children += [(child, f"{path}.{keyword}[{number}]") for number, child in enumerate(value)]
    for keyword in ONES:
        value = schema.get(keyword, True)
        # Draft 7 and older: a list of schemas, one for each position.
        if keyword == "items" and isinstance(value, list):
            children += [(child, f"{path}.items[{number}]") for number, child in enumerate(value)]
        elif value is not True:
            children.append((value, f"{path}.{keyword}"))
    return children
