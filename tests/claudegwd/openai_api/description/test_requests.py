"""What real clients send satisfies our own description of requests."""

import json

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.completions.request import parse_completions_request
from claudegwd.openai_api.description.requests import request_schemas
from tests.claudegwd.openai_api.real_clients import HELLO, REAL_CLIENTS

COMPONENTS = {"schemas": request_schemas(Bounds())}
# Tools shaped as for another route are taken, but not promised.
FITTING = [client for client in REAL_CLIENTS if client != "cursor"]


def satisfies(name: str, body: object) -> None:
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}).validate(body)


@pytest.mark.parametrize("client", FITTING)
def test_what_real_clients_send_fits(client: str) -> None:
    satisfies("ChatRequest", {"model": "sonnet", "messages": HELLO, **REAL_CLIENTS[client]})


def test_text_completions_fit() -> None:
    for prompt in ("a", ["a", "b"]):
        body = {"model": "m", "prompt": prompt, "max_tokens": 5, "stop": ["\n"], "echo": True, "temperature": 0}
        satisfies("CompletionsRequest", body)
        parse_completions_request(json.dumps(body).encode(), Bounds())
