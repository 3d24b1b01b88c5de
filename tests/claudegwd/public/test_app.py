"""What holds for every route, without a CLI."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from claudegwd.config import Config
from claudegwd.gateway.request_counts import RequestCounts
from claudegwd.limits.clients import ClientBook
from claudegwd.limits.meter import Limits
from claudegwd.logs import log
from claudegwd.openai_api.bounds import Bounds
from claudegwd.public.app import ROUTES, public_app
from claudegwd.store.database import Database
from claudegwd.store.ledger import Ledger


def gateway() -> Any:
    """What a request that is never asked looks at of a gateway."""
    return SimpleNamespace(
        config=Config(),
        life=SimpleNamespace(binds=["127.0.0.1:8000"]),
        bounds=Bounds(),
        clients=SimpleNamespace(book=ClientBook(default=Limits(concurrent_requests=1))),
        ledger=Ledger(Database(None)),
        metrics=SimpleNamespace(responded=lambda *_: None),
        sharing=None,
        needs_key=lambda: False,
        counts=RequestCounts(),
    )


async def test_limits_are_told_in_the_words_of_each_api() -> None:
    at = gateway()
    at.clients = SimpleNamespace(book=ClientBook(default=Limits(requests_per_minute=9)))
    client = public_app(at).test_client()
    for path, name in (
        ("/v1/messages", "anthropic-ratelimit-requests-remaining"),
        ("/v1/responses", "x-ratelimit-remaining-requests"),
    ):
        headers = (await client.post(path, json={})).headers
        assert int(headers[name]) >= 7
        assert len([each for each in headers.keys() if "ratelimit" in each]) == 3  # noqa: SIM118 - not a dict


async def refused(method: str, path: str) -> tuple[int, dict[str, Any], Any]:
    client = public_app(gateway()).test_client()
    response = await client.open(path, method=method, json={} if method == "POST" else None)
    return response.status_code, (await response.get_json())["error"], response.headers


@pytest.mark.parametrize("path", ["/v1//chat/completions", "//v1/chat/completions", "/v1/chat//completions/"])
async def test_slashes_count_once(path: str) -> None:
    status, error, _ = await refused("POST", path)
    assert status == 400
    assert error["param"] == "model"


async def test_every_405_says_what_is_allowed() -> None:
    paths: dict[str, set[str]] = {}
    for route in ROUTES:
        paths.setdefault(route.path.replace("<path:ident>", "x").replace("<ident>", "x"), set()).add(route.method)
    for path, methods in paths.items():
        status, _, headers = await refused("PUT", path)
        assert status == 405, path
        allowed = set(headers["allow"].split(", "))
        assert methods <= allowed
        assert "PUT" not in allowed


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_path_that_is_a_route_is_no_id_of_another(slash: str) -> None:
    fixed: dict[str, set[str]] = {}
    for route in ROUTES:
        if "<" not in route.path:
            fixed.setdefault(route.path, set()).add(route.method)
    for path, methods in fixed.items():
        for method in {"GET", "POST", "DELETE"} - methods:
            status, _, headers = await refused(method, path + slash if path != "/" else path)
            assert status == 405, (method, path)
            assert set(headers["allow"].split(", ")) - {"HEAD", "OPTIONS"} == methods, path


async def test_a_method_that_its_client_has_made_up_is_neither_logged_nor_repeated(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "propagate", True)
    for path in ("/livez", "/nothing"):
        with caplog.at_level("DEBUG", log.name):
            _, error, _ = await refused("ANY-TEXT" * 1000, path)
        assert len(error["message"]) < 100
        assert caplog.records[-1].fields["method"] == "other"  # type: ignore[attr-defined]
