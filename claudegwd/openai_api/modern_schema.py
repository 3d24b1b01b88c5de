"""A tool's JSON Schema converted to draft 2020-12, the only one that the Messages API and the CLI accept.

Generators write older drafts, and null for what they leave open. What has an equivalent in the newer draft is
rewritten; what no draft allows is rejected with its path, as the CLI would silently drop the whole tool.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.draft_2020 import ANCHOR, ID, is_draft_2020
from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.json_schema import LISTS, MAPS, ONES, check_depth, check_schema, children

Schema = dict[str, Any]

_COUNTS = ("maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains", "maxProperties",
           "minProperties")  # fmt: skip
_TEXTS = ("title", "description", "$comment", "format", "pattern", "contentEncoding", "contentMediaType", "$schema",
          "$dynamicRef", "$recursiveRef")  # fmt: skip
_FLAGS = ("uniqueItems", "readOnly", "writeOnly", "deprecated")
_BOUNDS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
_ANCHORS = ("$anchor", "$dynamicAnchor", "$recursiveAnchor")
_NAMES = ("dependentRequired", "dependencies")
_MORE_ONES = ("unevaluatedProperties", "unevaluatedItems", "contentSchema")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_anchor(value: object) -> bool:
    return isinstance(value, str) and re.search(ANCHOR, value) is not None


_Rule = tuple[Callable[[Any], bool], str]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(_TEXTS, (lambda value: isinstance(value, str), "it must be a string")),
    **dict.fromkeys(_FLAGS, (lambda value: isinstance(value, bool), "it must be true or false")),
    **dict.fromkeys(_BOUNDS, (_is_number, "it must be a number")),
    **dict.fromkeys(_COUNTS, (_is_count, "it must be a whole number, 0 or more")),
    **dict.fromkeys(_ANCHORS, (_is_anchor, "it must be a name")),
    **dict.fromkeys(_NAMES, (lambda value: isinstance(value, dict), "it must be an object")),
    **dict.fromkeys(
        _MORE_ONES, (lambda value: isinstance(value, dict | bool), "it must be a JSON Schema: an object, true or false")
    ),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "it must be a number above 0"),
    "examples": (lambda value: isinstance(value, list), "it must be a list"),
    "$id": (lambda value: isinstance(value, str) and re.search(ID, value) is not None, "it must be a URI"),
    "$vocabulary": (
        lambda value: isinstance(value, dict) and all(isinstance(one, bool) for one in value.values()),
        "it must be an object whose values are true or false",
    ),
}
# All keywords with a meaning in draft 2020-12 for which null has none. (For `const` and `default`, it is a value.)
_KEYWORDS = frozenset((*_RULES, *MAPS, *LISTS, *ONES, "type", "required", "enum", "$ref", "additionalItems"))


def check_tool_schema(schema: Schema, path: str, bounds: Bounds) -> None:
    """Raise InvalidRequest with the path of the first keyword that is meaningless in every draft."""
    check_depth(schema, path, bounds)
    if is_draft_2020(schema):
        return
    made = _made_modern(schema)
    if not is_draft_2020(made):
        check_schema(made, path, bounds)
        _name_the_fault(made, path)


def modern(schema: Schema) -> Schema:
    """A checked schema in the form of draft 2020-12: unchanged if it is in that form already."""
    return schema if is_draft_2020(schema) else _made_modern(schema)


def _name_the_fault(schema: Schema, path: str) -> None:
    waiting: list[tuple[Any, str]] = [(schema, path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, bool):
            continue
        for keyword, (holds, text) in _RULES.items():
            if keyword in value and not holds(value[keyword]):
                refuse(f"{path}.{keyword}", text)
        waiting.extend(children(value, path))
        waiting.extend((value[keyword], f"{path}.{keyword}") for keyword in _MORE_ONES if keyword in value)
    refuse(path, "it must be a JSON Schema of draft 2020-12")


def _made_modern(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if value is not None or key not in _KEYWORDS}
    _convert_bounds(made)
    _convert_items(made)
    return {keyword: _made_value(keyword, value) for keyword, value in made.items()}


def _made_value(keyword: str, value: Any) -> Any:
    match value:
        case list() if keyword in ("required", "type"):
            return _distinct(value)
        case list() if keyword in LISTS:
            return [_made_modern(one) for one in value]
        case dict() if keyword in _NAMES:
            return {key: _distinct(one) if isinstance(one, list) else _made_modern(one) for key, one in value.items()}
        case dict() if keyword in MAPS:
            return {key: _made_modern(one) for key, one in value.items() if one is not None}
        case dict() if keyword in (*ONES, *_MORE_ONES):
            return _made_modern(value)
        case float() if keyword in _COUNTS and value.is_integer():
            return int(value)
    return value


def _convert_bounds(schema: Schema) -> None:
    """Draft 4: `exclusiveMinimum: true` makes `minimum` itself excluded."""
    for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(keyword), bool):
            excluded = schema.pop(keyword)
            if excluded and bound in schema:
                schema[keyword] = schema.pop(bound)


def _convert_items(schema: Schema) -> None:
    """Until draft 2019-09: a list in `items` has a schema for each position, `additionalItems` is for the others."""
    if not isinstance(schema.get("items"), list) or "prefixItems" in schema:
        return
    places = schema.pop("items")
    others = schema.pop("additionalItems", None)
    if places:
        schema["prefixItems"] = places
    if others is not None:
        schema["items"] = others


def _distinct(names: list[Any]) -> list[Any]:
    return list(dict.fromkeys(names)) if all(isinstance(name, str) for name in names) else names
