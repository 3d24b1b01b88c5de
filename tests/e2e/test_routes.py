"""The routes as they are served, against the description that is served with them."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.demo.replies import say
from tests.e2e.harness import MODEL, Running

pytestmark = pytest.mark.cli


async def described(gateway: Running) -> Any:
    response = await gateway.http.get("/openapi.json")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    return response.json()


def check(description: Any, path: str, method: str, status: int, body: Any) -> None:
    """The body is what the description says of this answer."""
    answer = description["paths"][path][method]["responses"][str(status)]
    schema = answer["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": description["components"]}).validate(body)


async def test_answers_are_as_described(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("ok")
    description = await described(gateway)
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "a"}], "session_id": "s1"}
    made: dict[str, str] = {}
    for path, method, status, body in (
        ("/", "get", 200, None),
        ("/health", "get", 200, None),
        ("/v1/models", "get", 200, None),
        ("/v1/models/{ident}", "get", 404, None),
        ("/v1/models/capabilities", "get", 200, None),
        ("/v1/chat/completions", "post", 200, chat),
        ("/v1/chat/completions", "post", 400, {}),
        ("/v1/completions", "post", 200, {"model": MODEL, "prompt": "a"}),
        ("/v1/completions", "post", 404, {"model": "gpt", "prompt": "a"}),
        ("/v1/responses", "post", 200, {"model": MODEL, "input": "a"}),
        ("/v1/responses", "post", 400, {"model": MODEL}),
        ("/v1/responses/{ident}", "get", 200, None),
        ("/v1/responses/{ident}/input_items", "get", 200, None),
        ("/v1/responses/{ident}/cancel", "post", 400, {}),
        ("/v1/responses/{ident}", "delete", 200, None),
        ("/v1/responses/{ident}", "delete", 404, None),
        ("/v1/chat/completions/debug", "post", 200, chat),
        ("/v1/chat/completions/debug", "post", 200, {}),
        ("/v1/projects", "post", 200, {"name": "a"}),
        ("/v1/projects", "post", 400, {}),
        ("/v1/projects", "get", 200, None),
        ("/v1/projects/{ident}", "get", 200, None),
        ("/v1/projects/{ident}", "delete", 200, None),
        ("/v1/projects/{ident}", "delete", 404, None),
        ("/v1/sessions", "post", 200, {}),
        ("/v1/sessions", "get", 200, None),
        ("/v1/sessions/stats", "get", 200, None),
        ("/v1/sessions/{ident}", "get", 200, None),
        ("/v1/chat/completions/{ident}/status", "get", 200, None),
        ("/v1/chat/completions/{ident}", "delete", 200, None),
        ("/v1/sessions/{ident}", "delete", 200, None),
        ("/v1/sessions/{ident}", "delete", 404, None),
    ):
        kind = next((kind for kind in ("projects", "responses") if kind in path), "sessions")
        response = await gateway.http.request(method, path.replace("{ident}", made.get(kind, "x")), json=body)
        assert response.status_code == status, (path, method, response.text)
        check(description, path, method, status, response.json())
        if method == "post" and path in ("/v1/projects", "/v1/sessions", "/v1/responses") and status == 200:
            made[kind] = response.json()["id"]


async def test_fixed_routes_are_not_hidden_by_those_with_an_id(gateway: Running) -> None:
    assert "models" in (await gateway.http.get("/v1/models/capabilities")).json()
    assert "session_stats" in (await gateway.http.get("/v1/sessions/stats")).json()
    assert (await gateway.post({}, "/v1/chat/completions/debug")).json()["status"] == "validation_error"


async def test_what_is_not_described_is_404_or_405_in_the_envelope(gateway: Running) -> None:
    description = await described(gateway)
    for method, path, status in (
        ("GET", "/v1/embeddings", 404),
        ("POST", "/v1/images/generations", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("PUT", "/v1/projects", 405),
        ("GET", "/v1/status", 404),  # the control face's
        ("POST", "/v1/reload", 404),
        ("GET", "/v1/clients", 404),
    ):
        assert method.lower() not in description["paths"].get(path, {})
        response = await gateway.http.request(method, path, json={} if method == "POST" else None)
        assert response.status_code == status, path
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


async def test_the_description_is_for_all_and_says_who_may_do_what(gateway: Running) -> None:
    description = await described(gateway)
    assert description["openapi"].startswith("3.1")
    open_paths = {
        path for path, methods in description["paths"].items() for each in methods.values() if not each["security"]
    }
    assert open_paths == {"/", "/health", "/livez", "/readyz", "/openapi.json"}
