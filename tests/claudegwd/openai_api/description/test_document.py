"""Our own description: sound, complete, and true of what the code takes and gives."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import HONOURED, KNOWN, parse_chat_request
from claudegwd.openai_api.description.document import OPERATIONS, describe
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.parameters import IGNORED, REFUSED

ROUTES = [(method, path.replace("{", "<path:").replace("}", ">"), path == "/livez") for method, path in OPERATIONS]
DESCRIPTION = describe("1.2.3", ROUTES, Bounds())


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*map(references, node.values()))
    return set()


def test_every_schema_is_sound_and_every_reference_leads_somewhere() -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    named = {f"#/components/schemas/{name}" for name in schemas}
    assert references(DESCRIPTION) <= named
    json.dumps(DESCRIPTION)


def test_it_has_the_routes_it_is_given_and_no_others() -> None:
    described = describe("1", [("GET", "/livez", True), ("GET", "/v1/models/<path:ident>", False)], Bounds())
    assert set(described["paths"]) == {"/livez", "/v1/models/{ident}"}
    show = described["paths"]["/v1/models/{ident}"]["get"]
    assert [(one["name"], one["in"]) for one in show["parameters"]] == [("ident", "path")]
    assert show["security"] == [{"bearer": []}, {"header": []}]
    assert described["paths"]["/livez"]["get"]["security"] == []
    with pytest.raises(KeyError):
        describe("1", [("GET", "/nowhere", True)], Bounds())


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


def test_every_parameter_that_is_honoured_is_described() -> None:
    described = DESCRIPTION["components"]["schemas"]["ChatRequest"]["properties"].keys()
    assert described >= HONOURED - {"functions", "function_call"}
    assert not described & REFUSED.keys()
    assert described <= KNOWN | IGNORED.keys()


def test_limits_are_those_of_the_code() -> None:
    described = describe("1", ROUTES, Bounds(max_n=3))["components"]["schemas"]["ChatRequest"]["properties"]
    assert described["n"]["anyOf"][0]["maximum"] == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2.5},
        {"n": 9},
        {"messages": []},
        {"messages": [{"role": "robot", "content": "a"}]},
        {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        {"tool_choice": "any"},
        {"stop": ["a"] * 5},
        {"stop": ""},
        {"stream": "yes"},
        {"reasoning_effort": "hardest"},
        {"response_format": {"type": "xml"}},
        {"model": ""},
        {"max_tokens": 0},
    ],
)
def test_what_the_description_refuses_the_code_refuses(fields: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}
    assert not validator("ChatRequest").is_valid(body)
    with pytest.raises(CallerError):
        parse_chat_request(json.dumps(body).encode(), Bounds())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]})
