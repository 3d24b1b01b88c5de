"""Over a real socket through the real server."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from claudegwd.control.app import MAX_BODY_BYTES
from tests.small_gateway import SmallGateway, running


async def test_json_comes_with_its_type(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/status")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "server" not in answer.headers
    assert answer.text.endswith("}\n")
    assert answer.json()["state"] == "ready"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("DELETE", "/v1/status", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/status", 405, "method_not_allowed"),
        ("GET", "/v1/keys/absent", 404, "not_found"),
    ],
)
async def test_errors_have_one_form(client: httpx.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"].startswith("cannot ")
    assert ("allow" in answer.headers) is (status == 405)


async def test_a_body_that_is_too_large(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/keys", content=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_an_unforeseen_failure_is_logged_once_and_tells_nothing(
    gateway: SmallGateway, client: httpx.AsyncClient
) -> None:
    gateway.workers = None  # type: ignore[method-assign, assignment]
    answer = await client.get("/v1/workers")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": {
            "message": "cannot do this: internal error in the daemon; see `claudegwctl logs`",
            "code": "internal_error",
        }
    }
    (entry,) = [each for each in gateway.logs.tail(50) if each.level == "error"]
    assert entry.fields["route"] == "/v1/workers"
    assert str(entry.fields["trace"]).startswith("TypeError at workers.py:")
    assert (await client.get("/v1/status")).status_code == 200


async def test_a_change_is_logged_with_who_made_it(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    await client.post("/v1/rotate")
    (entry,) = [each for each in gateway.logs.tail(50) if each.text == "keys rotated"]
    assert dict(entry.fields) == {"uid": os.getuid(), "pid": os.getpid(), "before": "primary", "after": "second"}


async def test_the_index_names_every_route(client: httpx.AsyncClient) -> None:
    routes = (await client.get("/v1")).json()["routes"]
    assert {"method": "GET", "path": "/v1/status", "says": "shows the daemon's status"} in routes


async def test_the_socket_goes_with_the_server(gateway: SmallGateway) -> None:
    async with running(gateway) as path:
        assert path.is_socket()
    assert not Path(path).exists()
