"""A client's JSON Schema in the form that the Messages API's structured output accepts.

It accepts a subset of JSON Schema: objects must list their properties and allow no others, and bounds on numbers and
lengths are rejected. These are moved to the description, where the model reads them, as Anthropic's own SDKs do.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
# What means nothing to a validator, or is handled elsewhere.
_SAID = frozenset(
    ("type", "title", "description", "enum", "const", "default", "$schema", "$id", "$comment", "$defs", "definitions")
)  # fmt: skip
# Keywords that apply to values of one type only.
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
               "maxProperties", "unevaluatedProperties", "dependentRequired", "dependentSchemas", "dependencies"),
    "array": ("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains",
              "minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
_PRIMITIVES = frozenset(("boolean", "integer", "null", "number"))
_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
}


class _CannotSayError(Exception):
    """The schema says something that structured output cannot express."""


def output_schema(schema: Schema) -> dict[str, Any] | None:
    """The schema for `output_config.format`; None if it cannot be expressed: open objects, tuples, recursion, or
    references to nothing."""
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    try:
        if _is_recursive(definitions) or not set(_references(schema)) <= definitions.keys():
            return None
        made = _converted(schema)
        if definitions:
            made["$defs"] = {name: _converted(one) for name, one in definitions.items()}
    except _CannotSayError:
        return None
    return made


def _converted(schema: object) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise _CannotSayError  # true or false
    kind = schema.get("type") or ("object" if "properties" in schema else None)
    said: set[str] = set()
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{_definition(schema['$ref'])}"}
    if isinstance(kind, list):
        # OpenAI's strict mode writes ["string", "null"] for optional values.
        return {"anyOf": [_converted({**schema, "type": one}) for one in _possible(kind, schema)]}
    made = {key: schema[key] for key in ("title", "const", "default") if key in schema}
    if "enum" in schema:
        made["enum"] = [value for value in schema["enum"] if kind is None or _is_of(value, kind)]
        if not made["enum"]:
            raise _CannotSayError  # the upstream rejects an empty one
    if kind is not None:
        made["type"] = kind
        made |= _of_kind(kind, schema, said)
    else:
        made |= _combined(schema, said)
    told = _told(schema, said | _of_others(kind))
    return {**made, "description": told} if told else made


def _of_kind(kind: str, schema: Schema, said: set[str]) -> dict[str, Any]:
    match kind:
        case "object":
            said |= {"properties", "required", "additionalProperties"}
            return _object(schema)
        case "array":
            said |= {"items", "minItems"} if schema.get("minItems", 0) in (0, 1) else {"items"}
            least = {"minItems": schema["minItems"]} if "minItems" in schema and "minItems" in said else {}
            return {"items": _converted(schema.get("items")), **least}
        case "string":
            if schema.get("format") in _FORMATS:
                said.add("format")
                return {"format": schema["format"]}
            return {}
    if kind not in _PRIMITIVES:
        raise _CannotSayError
    return {}


def _object(schema: Schema) -> dict[str, Any]:
    others = schema.get("additionalProperties", True)
    properties = schema.get("properties", {})
    if "patternProperties" in schema or isinstance(others, dict) or (not properties and others is not False):
        raise _CannotSayError  # a map: the model chooses its keys
    if not properties.keys() >= set(schema.get("required", ())):
        raise _CannotSayError  # the model makes up the shape of those that are only required
    made = {name: _converted(one) for name, one in properties.items()}
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"properties": made, **required, "additionalProperties": False}


def _combined(schema: Schema, said: set[str]) -> dict[str, Any]:
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            said.add(keyword)
            # oneOf as anyOf: values that match both are rare.
            return {"allOf" if keyword == "allOf" else "anyOf": [_converted(one) for one in schema[keyword]]}
    if "enum" in schema or "const" in schema:
        return {}
    raise _CannotSayError  # anything at all


def _told(schema: Schema, said: Collection[str]) -> str:
    """The description, with the rest of the schema's demands."""
    left = {key: value for key, value in schema.items() if key not in _SAID and key not in said}
    words = [schema.get("description") or "", json.dumps(left) if left else ""]
    return "\n".join(word for word in words if word)


def _possible(kinds: Sequence[str], schema: Schema) -> list[str]:
    """Those of its types that any of the values that it lists has."""
    listed = [schema["enum"]] if "enum" in schema else []
    listed += [[schema["const"]]] if "const" in schema else []
    # A type that is listed twice, at each of many levels, would double the schema as often.
    distinct = dict.fromkeys(kinds)
    possible = [kind for kind in distinct if all(any(_is_of(value, kind) for value in values) for values in listed)]
    if not possible:
        raise _CannotSayError
    return possible


def _of_others(kind: str | None) -> set[str]:
    """The keywords that say nothing about values of this type. Next to several types, they are about another one."""
    own = "number" if kind == "integer" else kind
    return {word for other, words in _ABOUT.items() if other != own for word in words} if kind is not None else set()


def _is_of(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, _JSON_TYPES.get(kind, ()))


def _definition(reference: object) -> str:
    for prefix in ("#/$defs/", "#/definitions/"):
        if isinstance(reference, str) and reference.startswith(prefix) and "/" not in reference[len(prefix) :]:
            return reference[len(prefix) :]
    raise _CannotSayError


def _is_recursive(definitions: Schema) -> bool:
    # A definition that uses only finished ones is finished; those that never finish are recursive.
    users: dict[str, list[str]] = {}
    left: dict[str, int] = {}  # how many unfinished ones it uses
    for name, one in definitions.items():
        used = set(_references(one)) & definitions.keys()
        left[name] = len(used)
        for other in used:
            users.setdefault(other, []).append(name)
    finished = [name for name, count in left.items() if not count]
    for name in finished:
        for user in users.get(name, ()):
            left[user] -= 1
            if not left[user]:
                finished.append(user)
    return len(finished) < len(left)


def _references(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "$ref" in value:
                yield _definition(value["$ref"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
