"""Our own description of /v1/responses: complete, and true of what the code takes."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.answers import answer_schemas
from claudegwd.openai_api.description.requests import request_schemas
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.responses.description import responses_schemas
from claudegwd.openai_api.responses.parameters import HONOURED, IGNORED, KNOWN, REFUSED
from claudegwd.openai_api.responses.request import parse_responses_request
from claudegwd.store.responses import KeptResponses
from claudegwd.store.sealing import Seal
from tests.fuzz.seeds import BODIES

SCHEMAS = {**responses_schemas(Bounds()), **request_schemas(Bounds()), **answer_schemas()}
VALIDATOR = Draft202012Validator({"$ref": "#/components/schemas/ResponsesRequest", "components": {"schemas": SCHEMAS}})
NOTHING_KEPT = KeptResponses().of("", 0, 0, Seal(b"k" * 32))


def test_every_parameter_that_is_honoured_is_described() -> None:
    described = SCHEMAS["ResponsesRequest"]["properties"].keys()
    assert described >= HONOURED
    assert not described & REFUSED.keys()
    assert described <= KNOWN | IGNORED.keys()


@pytest.mark.parametrize("body", [body for route, body in BODIES if route == "responses"])
def test_what_clients_send_is_described(body: dict[str, Any]) -> None:
    VALIDATOR.validate(body)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"input": " "},
        {"input": [{"role": "robot", "content": "a"}]},
        {"input": [{"role": "user", "content": [{"type": "hologram"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
        {"input": [{"type": "function_call", "name": "f"}]},
        {"input": [{"type": "hologram"}]},
        {"tools": [{"type": "function", "name": "a b"}]},
        {"tools": [{"name": "a"}]},
        {"tool_choice": "any"},
        {"text": {"format": {"type": "xml"}}},
        {"reasoning": {"effort": "hardest"}},
        {"max_output_tokens": 0},
        {"metadata": {"a": 1}},
        {"include": [1]},
        {"truncation": "some"},
        {"stream": "yes"},
    ],
)
def test_what_the_description_refuses_the_code_refuses(fields: dict[str, Any]) -> None:
    body = {"model": "m", "input": "a", **fields}
    assert not VALIDATOR.is_valid(body)
    with pytest.raises(CallerError):
        parse_responses_request(json.dumps(body).encode(), Bounds(), NOTHING_KEPT)
