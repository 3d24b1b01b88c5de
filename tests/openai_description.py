"""OpenAI's own description of its API as validators, for whatever test has a body or a chunk at hand.

tests/openai_files holds what of it concerns the gateway, under its own licence (github.com/openai/openai-openapi).
OPENAI_OPENAPI is the path of another version, as JSON.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

VARIABLE = "OPENAI_OPENAPI"
OURS = Path(__file__).parent / "openai_files" / "openapi.json"


@cache
def _description() -> dict[str, Any]:
    description: dict[str, Any] = json.loads(Path(os.environ.get(VARIABLE) or OURS).read_text("utf-8"))
    _widen(description)
    return description


def _widen(node: Any) -> None:
    """`nullable` is OpenAPI 3.0's and means nothing to JSON Schema: say in its words that null is fine too."""
    if isinstance(node, list):
        for item in node:
            _widen(item)
    elif isinstance(node, dict):
        for item in node.values():
            _widen(item)
        if node.pop("nullable", False) is True:
            inner = dict(node)
            node.clear()
            node["anyOf"] = [inner, {"type": "null"}]


def properties(schema_name: str) -> set[str]:
    """The names of the fields of one of the description's schemas, with those it takes over from others."""
    schemas = _description()["components"]["schemas"]
    found: set[str] = set()
    waiting = [schemas[schema_name]]
    while waiting:
        schema = waiting.pop()
        found |= schema.get("properties", {}).keys()
        waiting += schema.get("allOf", [])
        if "$ref" in schema:
            waiting.append(schemas[schema["$ref"].rpartition("/")[2]])
    return found


def validator(schema_name: str) -> Draft202012Validator:
    """A validator of one of the description's schemas (`CreateChatCompletionResponse`)."""
    schemas = _description()["components"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema_name}", "components": schemas})
