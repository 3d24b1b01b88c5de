"""A tool's JSON Schema converted to draft 2020-12, the only one that the Messages API and the CLI accept.

Generators write older drafts, and null for what they leave open. What has an equivalent in the newer draft is
rewritten; what no draft allows is rejected with its path: otherwise the CLI would silently drop the whole tool.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, Union

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.json_schema import LISTS, MAPS, ONES, JsonType, check_depth, check_schema, children

Schema = dict[str, Any]

_ID = r"^[^#]*#?$"
_ANCHOR = r"^[A-Za-z_][-A-Za-z0-9._]*$"

_Sub: TypeAlias = Union["_Modern", bool]
_SubMap: TypeAlias = dict[str, _Sub]
_SubList: TypeAlias = Annotated[list[_Sub], msgspec.Meta(min_length=1)] | msgspec.UnsetType
_Number: TypeAlias = int | float
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Anchor: TypeAlias = Annotated[str, msgspec.Meta(pattern=_ANCHOR)]


class _Modern(msgspec.Struct, rename="camel"):
    """The meta-schema of draft 2020-12, for msgspec: many times as fast as the functions below.

    An agent sends its hundred tools with every request, nearly always sound.
    """

    # Applicators, with all that `json_schema` checks too.
    type: JsonType | Annotated[list[JsonType], msgspec.Meta(min_length=1)] = "object"
    required: list[str] = []
    enum: list[Any] = []
    ref: str = msgspec.field(default="", name="$ref")
    properties: _SubMap = {}
    pattern_properties: _SubMap = {}
    defs: _SubMap = msgspec.field(default_factory=dict, name="$defs")
    definitions: _SubMap = {}
    dependent_schemas: _SubMap = {}
    dependencies: dict[str, _Sub | list[str]] = {}
    dependent_required: dict[str, list[str]] = {}
    any_of: _SubList = msgspec.UNSET
    one_of: _SubList = msgspec.UNSET
    all_of: _SubList = msgspec.UNSET
    prefix_items: _SubList = msgspec.UNSET
    additional_properties: _Sub = True
    unevaluated_properties: _Sub = True
    unevaluated_items: _Sub = True
    negated: _Sub = msgspec.field(default=True, name="not")
    condition: _Sub = msgspec.field(default=True, name="if")
    then: _Sub = True
    otherwise: _Sub = msgspec.field(default=True, name="else")
    contains: _Sub = True
    property_names: _Sub = True
    content_schema: _Sub = True
    items: _Sub = True
    # What is said about a value.
    title: str = ""
    description: str = ""
    comment: str = msgspec.field(default="", name="$comment")
    format: str = ""
    pattern: str = ""
    content_encoding: str = ""
    content_media_type: str = ""
    schema: str = msgspec.field(default="", name="$schema")
    id: Annotated[str, msgspec.Meta(pattern=_ID)] = msgspec.field(default="", name="$id")
    anchor: _Anchor | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="$anchor")
    dynamic_anchor: _Anchor | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="$dynamicAnchor")
    recursive_anchor: _Anchor | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="$recursiveAnchor")
    dynamic_ref: str = msgspec.field(default="", name="$dynamicRef")
    recursive_ref: str = msgspec.field(default="", name="$recursiveRef")
    vocabulary: dict[str, bool] = msgspec.field(default_factory=dict, name="$vocabulary")
    maximum: _Number = 0
    minimum: _Number = 0
    exclusive_maximum: _Number = 0
    exclusive_minimum: _Number = 0
    multiple_of: Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)] = 1
    max_length: _Count = 0
    min_length: _Count = 0
    max_items: _Count = 0
    min_items: _Count = 0
    max_contains: _Count = 0
    min_contains: _Count = 0
    max_properties: _Count = 0
    min_properties: _Count = 0
    unique_items: bool = False
    read_only: bool = False
    write_only: bool = False
    deprecated: bool = False
    examples: list[Any] = []

    def __post_init__(self) -> None:
        lists = [self.required, *self.dependent_required.values()]
        lists += [one for one in self.dependencies.values() if isinstance(one, list)]
        if isinstance(self.type, list):
            lists.append([*self.type])
        if any(len(set(one)) < len(one) for one in lists):
            raise ValueError("a name twice")


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
    return isinstance(value, str) and re.search(_ANCHOR, value) is not None


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
    "$id": (lambda value: isinstance(value, str) and re.search(_ID, value) is not None, "it must be an address"),
    "$vocabulary": (
        lambda value: isinstance(value, dict) and all(isinstance(one, bool) for one in value.values()),
        "it must be an object of true and false",
    ),
}
# Everything that draft 2020-12 gives a meaning and in which null has none. (Of `const` and `default` it is a value.)
_KEYWORDS = frozenset((*_RULES, *MAPS, *LISTS, *ONES, "type", "required", "enum", "$ref", "additionalItems"))


def check_tool_schema(schema: Schema, path: str, bounds: Bounds) -> None:
    """Raise InvalidRequest with the path of the first keyword that has no meaning in any form."""
    check_depth(schema, path, bounds)
    if _is_modern(schema):
        return
    made = _made_modern(schema)
    check_schema(made, path, bounds)
    if not _is_modern(made):
        _name_the_fault(made, path)


def modern(schema: Schema) -> Schema:
    """A schema that has been checked, in the form of draft 2020-12: itself where it is so already."""
    return schema if _is_modern(schema) else _made_modern(schema)


def _is_modern(schema: Schema) -> bool:
    try:
        msgspec.convert(schema, _Modern)
    except msgspec.ValidationError:
        return False
    return True


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
    """Draft 4: `exclusiveMinimum: true` says of `minimum` that it is excluded itself."""
    for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(keyword), bool):
            excluded = schema.pop(keyword)
            if excluded and bound in schema:
                schema[keyword] = schema.pop(bound)


def _convert_items(schema: Schema) -> None:
    """Until draft 2019-09: a list in `items` has a schema for each place, and `additionalItems` is of the others."""
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
