"""Bad requests: OpenAI's envelope with the field at fault, nothing of them kept, and the next request served."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import httpx
import pytest

from tests.e2e.harness import MODEL, Running, secret

pytestmark = pytest.mark.cli

SHARED = {"config": '[server]\nmax_body_bytes = 11000000\n[claude]\nmodels = ["a-relay/some-model"]'}
CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
USER = {"role": "user", "content": secret("question")}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LONG = '{"a": "' + "x" * 10_000_000 + '"}'
DEEP = '{"a": ' * 3000 + "1" + "}" * 3000
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "r"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def called(arguments: str) -> dict[str, Any]:
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "tool_calls": [call]}


def pictured(width: int, height: int) -> dict[str, Any]:
    """A message with the head of a picture, of which nothing more is looked at."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)
    url = "data:image/png;base64," + base64.b64encode(head).decode()
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


def envelope(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer, which has all four fields and an id to ask about."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].startswith("cannot ")
    assert "SECRET-CONTENT" not in error["message"]
    return error


async def is_served(gateway: Running) -> None:
    """The same connection serves the next request."""
    assert (await gateway.http.get("/v1/models")).status_code == 200


RAW = {
    "empty": b"",
    "not json": b'{"model": SECRET-CONTENT-1',
    "an array": b"[1]",
    "a text": b'"SECRET-CONTENT-2"',
    "not utf-8": b'{"model": "\xff"}',
    "nan": b'{"model": "m", "temperature": NaN}',
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "half a surrogate pair": b'{"model": "m", "messages": [{"role": "user", "content": "\\ud83d"}]}',
}


@pytest.mark.parametrize("name", RAW)
async def test_a_body_that_is_no_json_object(gateway: Running, name: str) -> None:
    error = envelope(await gateway.http.post(CHAT, content=RAW[name], headers=JSON), 400)
    assert error["type"] == "invalid_request_error"
    await is_served(gateway)


# What is laid over a good request, and the path that the error names.
FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages"),
    "messages of a wrong type": ({"messages": "hi"}, "messages"),
    "a message of a wrong type": ({"messages": [USER, 3]}, "messages[1]"),
    "an unknown role": ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].role"),
    "content of a wrong type": ({"messages": [USER, {"role": "user", "content": 5}]}, "messages[1].content"),
    "an unknown part": (
        {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
        "messages[0].content[0].type",
    ),
    "a result of no call": (
        {"messages": [USER, {"role": "tool", "tool_call_id": "call_9", "content": "x"}]},
        "messages[1].tool_call_id",
    ),
    "a call without its result": ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
    "a tool without a name": ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    "a tool's schema of a wrong type": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
        "tools[0].function.parameters.type",
    ),
    "a keyword that no draft has so": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"title": 5}}}}}]},
        "tools[0].function.parameters.properties.a.title",
    ),
    "a broken schema": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": 3}}}]},
        "tools[0].function.parameters.properties",
    ),
    "a choice of no tool": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice.function.name",
    ),
    "temperature": ({"temperature": 2.1}, "temperature"),
    "temperature of a wrong type": ({"temperature": "hot"}, "temperature"),
    "top_p": ({"top_p": -0.1}, "top_p"),
    "n": ({"n": 1000}, "n"),
    "no n": ({"n": 0}, "n"),
    "max_tokens": ({"max_tokens": 0}, "max_tokens"),
    "stop": ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    "stream": ({"stream": "yes"}, "stream"),
    "response_format": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "a schema that nobody can satisfy": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "x",
                    "schema": {
                        "type": "object",
                        "properties": {"a": {"enum": []}},
                        "required": ["a"],
                    },
                },
            }
        },
        "response_format.json_schema.schema.properties.a.enum",
    ),
    "half a surrogate pair": ({"messages": [{"role": "user", "content": "a\ud83d"}]}, "messages[0].content"),
    "an image of too many pixels": ({"messages": [pictured(60_000, 60_000)]}, "messages[0].content[0].image_url.url"),
    "images of too many pixels together": (
        {"messages": [pictured(8_000, 8_000) for _ in range(7)]},
        "messages[6].content[0].image_url.url",
    ),
    "too many messages": ({"messages": [USER] * 10_001}, "messages"),
    "too many parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 1_001}]},
        "messages[0].content",
    ),
    "too many tools": ({"tools": [TOOL] * 1_001}, "tools"),
    "a model's name without end": ({"model": "m" * 1_000}, "model"),
    "reasoning_effort": ({"reasoning_effort": "heroic"}, "reasoning_effort"),
    "an image that is none": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
            ]
        },
        "messages[0].content[0].image_url.url",
    ),
    "a remote image": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]}
            ]
        },
        "messages[0].content[0].image_url.url",
    ),
    "no model": ({"model": ""}, "model"),
    "a model of a wrong type": ({"model": 7}, "model"),
}


@pytest.mark.parametrize("name", FIELDS)
async def test_the_field_at_fault_is_named(gateway: Running, name: str) -> None:
    wrong, param = FIELDS[name]
    body = json.dumps({"model": MODEL, "messages": [USER], **wrong}).encode()  # ASCII, half surrogates too
    error = envelope(await gateway.http.post(CHAT, content=body, headers=JSON), 400)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert gateway.endpoint.count == 0
    await is_served(gateway)


# What a model may have written, or a client stored twice: the conversation goes on.
TAKEN = {
    "arguments of 10 MB": [called(LONG), RESULT],
    "deep arguments": [called(DEEP), RESULT],
    "two results of one call": [called("{}"), RESULT, RESULT],
    "two calls of one id": [{"role": "assistant", "tool_calls": [CALL, CALL]}, RESULT],
}


@pytest.mark.parametrize("name", TAKEN)
async def test_an_odd_history_is_taken(gateway: Running, name: str) -> None:
    answer = await gateway.post({"model": MODEL, "messages": [USER, *TAKEN[name], USER]})
    assert answer.status_code == 200, answer.text
    assert [message["role"] for message in gateway.upstream()[0].messages] == ["user", "assistant", "user"]


REFUSED = {
    "logprobs": True, "logit_bias": {"1": 1}, "audio": {"voice": "x"}, "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_honoured_is_refused(gateway: Running, name: str) -> None:
    error = envelope(await gateway.post({"model": MODEL, "messages": [USER], name: REFUSED[name]}), 400)
    assert (error["code"], error["param"]) == ("unsupported_parameter", name)


@pytest.mark.parametrize("name", ["gpt-99", "--version", "../../etc/passwd", "claude opus", "http://127.0.0.1/"])
async def test_an_unknown_model_is_not_found(gateway: Running, name: str) -> None:
    error = envelope(await gateway.post({"model": name, "messages": [USER]}), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert name not in gateway.log


async def test_routes_methods_types_and_sizes(gateway: Running) -> None:
    assert envelope(await gateway.http.get("/v1/embeddings"), 404)
    assert envelope(await gateway.http.post("/v1/audio/speech", json={}), 404)
    assert envelope(await gateway.http.get("/v1/status"), 404)  # a control route
    assert envelope(await gateway.http.get("/%2e%2e/etc/passwd"), 404)
    assert envelope(await gateway.http.get(CHAT), 405)
    assert envelope(await gateway.http.delete("/v1/models"), 405)
    assert envelope(await gateway.http.post(CHAT, content=b"{}", headers={"content-type": "text/plain"}), 415)
    assert envelope(await gateway.http.post(CHAT, content=b"{}"), 415)
    assert envelope(await gateway.http.post(CHAT, content=b"{}", headers=JSON | {"content-encoding": "br"}), 415)
    assert envelope(await gateway.http.post(CHAT, content=b"x" * 11_000_001, headers=JSON), 413)
    await is_served(gateway)


async def test_a_body_without_a_length_is_bounded_as_well(gateway: Running) -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * 1_000_000

    envelope(await gateway.http.post(CHAT, content=pieces(), headers=JSON), 413)
    await is_served(gateway)


async def test_model_ids_are_looked_up_as_written(gateway: Running) -> None:
    listed = (await gateway.http.get("/v1/models")).json()["data"]
    assert (await gateway.http.get(f"/v1/models/{listed[0]['id']}")).json() == listed[0]
    for written in ("a-relay%2Fsome-model", "a-relay/some-model"):
        assert (await gateway.http.get(f"/v1/models/{written}")).json()["id"] == "a-relay/some-model"
    error = envelope(await gateway.http.get("/v1/models/some%2Fother"), 404)
    assert error["code"] == "model_not_found"


async def test_an_error_says_nothing_of_the_machine(gateway: Running) -> None:
    too_many = json.dumps({"model": MODEL, "messages": [USER], "n": 99}).encode()
    for body in (b"{", b'{"model":"x","messages":[]}', too_many):
        text = (await gateway.http.post(CHAT, content=body, headers=JSON)).text
        assert str(gateway.home) not in text
        assert "Traceback" not in text
