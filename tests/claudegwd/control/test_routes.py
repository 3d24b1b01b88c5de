from __future__ import annotations

from collections import Counter

import pytest

from claudegwd.control.routes import ROUTES, ControlRoute
from tests.small_gateway import SmallGateway, client_of, running


def test_each_route_once() -> None:
    assert max(Counter((route.method, route.path) for route in ROUTES).values()) == 1
    for route in ROUTES:
        assert route.path.startswith("/v1")
        assert route.says


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_each_route_answers_json_and_no_token(gateway: SmallGateway, route: ControlRoute) -> None:
    async with running(gateway) as path, client_of(path) as client:
        answer = await client.request(route.method, route.path.replace("<name>", "primary"))
    assert answer.status_code < 500
    assert "sk-false" not in answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"].keys() == {"message", "code"}


def test_reading_is_by_get() -> None:
    assert {route.method for route in ROUTES if route.handler.__name__ in {"show", "rows", "one", "read", "lines"}} == {
        "GET"
    }
