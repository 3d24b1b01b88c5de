from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from claudegwctl.client import Daemon
from claudegwctl.dashboard.answers import Answers
from claudegwctl.dashboard.exchange import DashboardRequest
from claudegwd.ledger.entry import Line, Sums
from claudegwd.logs import event, log
from claudegwd.workspaces.approvals import WantedCall
from tests.small_gateway import TOKENS, SmallGateway


class Asking:
    """Asks as the page does: in a thread, as the daemon is in this one."""

    def __init__(self, socket: Path, *, read_only: bool = False) -> None:
        self._answers = Answers(Daemon(socket), read_only=read_only)

    async def get(self, name: str, query: Mapping[str, str] | None = None) -> tuple[int, Any]:
        return await self._ask(name, DashboardRequest("GET", "", query or {}))

    async def post(self, name: str, body: bytes | Mapping[str, Any]) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._ask(name, DashboardRequest("POST", "", {}, {}, data))

    async def _ask(self, name: str, request: DashboardRequest) -> tuple[int, Any]:
        response = await trio.to_thread.run_sync(self._answers.answer, name, request)
        assert not any(token.encode() in response.body for token in TOKENS)
        return response.status, json.loads(response.body)


@pytest.fixture
def page(socket: Path) -> Asking:
    return Asking(socket)


async def test_the_state_is_all_that_top_shows(page: Asking) -> None:
    status, state = await page.get("state")
    assert (status, state["running"], state["read_only"]) == (200, True, False)
    assert [key["name"] for key in state["status"]["keys"]] == ["primary", "second", "off"]
    assert [worker["pid"] for worker in state["workers"]] == [4243, 4244]
    assert [request["client"] for request in state["requests"]] != []
    assert state["clients"] == []


async def test_a_daemon_that_is_not_there_is_news_and_no_error(nowhere: Path) -> None:
    page = Asking(nowhere)
    status, state = await page.get("state")
    assert (status, state["running"]) == (200, False)
    assert "it is not running; start it" in state["problem"]
    for name in ("usage", "logs"):
        status, body = await page.get(name)
        assert status == 503
        assert "it is not running" in body["error"]
    assert (await page.post("reload", {}))[0] == 503


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize("group", ["client", "key", "model"])
async def test_usage_by_time_and_group(gateway: SmallGateway, page: Asking, period: str, group: str) -> None:
    line = Line(
        int(gateway.ledger.clock()), "laptop", "primary", "sonnet", "sonnet", "/v1/chat/completions", "warm", 200
    )
    gateway.ledger.note(line, Sums(requests=1, prompt=10, completion=5))
    status, found = await page.get("usage", {"period": period, "by": group})
    unit = "hour" if period == "day" else "day"
    assert (status, found["unit"], found["by"]) == (200, unit, [unit, group])
    assert [(row["requests"], row["prompt_tokens"]) for row in found["rows"]] == [(1, 10)]


@pytest.mark.parametrize("query", [{"period": "year"}, {"by": "token"}, {"by": "client,key"}, {"period": "../x"}])
async def test_another_period_or_group_is_refused(page: Asking, query: Mapping[str, str]) -> None:
    status, body = await page.get("usage", query)
    assert status == 400
    assert body["error"].startswith("cannot show usage: ")


async def test_the_log_with_its_filters(page: Asking) -> None:
    event(log, 30, "one", cause=None, key="primary")
    event(log, 20, "two", cause=None, key="second")
    for query, expected in (
        ({}, ["one", "two"]),
        ({"level": "warning"}, ["one"]),
        ({"key": "second", "lines": "2000"}, ["two"]),
        ({"client": "nobody"}, []),
        ({"lines": "1"}, ["two"]),
        ({"follow": "1", "unknown": "x"}, ["one", "two"]),
    ):
        status, found = await page.get("logs", query)
        assert (status, [line["message"] for line in found["lines"]]) == (200, expected), query


@pytest.mark.parametrize("query", [{"level": "loud"}, {"lines": "3000"}, {"since": "x"}, {"level": "info&follow=1"}])
async def test_a_filter_that_the_daemon_refuses_says_why(page: Asking, query: Mapping[str, str]) -> None:
    status, body = await page.get("logs", query)
    assert status == 409
    assert body["error"].startswith("cannot use ")


async def test_rotate(gateway: SmallGateway, page: Asking) -> None:
    assert await page.post("rotate", {"to": "second"}) == (200, {"from": "primary", "to": "second"})
    assert gateway.ring.active is not None
    assert gateway.ring.active.name == "second"
    assert (await page.post("rotate", {}))[1]["to"] == "primary"


async def test_keys_are_disabled_and_enabled(gateway: SmallGateway, page: Asking) -> None:
    for wanted, state in (("disabled", "disabled"), ("active", "ready")):
        status, row = await page.post("key", {"name": "second", "status": wanted})
        assert (status, row["state"]) == (200, state)
    changes = await gateway.audit.rows(10)
    assert [change["what"] for change in changes] == ["key status changed"] * 2


def ask(gateway: SmallGateway) -> str:
    """The id of what Claude asks for."""
    asked = gateway.workspaces.approvals.begin(
        WantedCall("shop", "/w", "webui", "webui", "Bash", {"command": "ls"}), shown="Bash: ls", why="no rule"
    )
    assert asked is not None
    return asked.id


@pytest.mark.parametrize(("approved", "what"), [(True, "approved in a workspace"), (False, "denied in a workspace")])
async def test_what_claude_asks_for_is_shown_and_answered(
    gateway: SmallGateway, page: Asking, approved: bool, what: str
) -> None:
    ident = ask(gateway)
    shown = (await page.get("state"))[1]["approvals"]
    assert [(row["id"], row["shown"], row["directory"], row["client"]) for row in shown] == [
        (ident, "Bash: ls", "/w", "webui")
    ]
    status, done = await page.post("approval", {"id": ident, "approved": approved})
    assert (status, done["id"], done["approved"]) == (200, ident, approved)
    assert [change["what"] for change in await gateway.audit.rows(10)] == [what]
    assert (await page.post("approval", {"id": ident, "approved": approved}))[0] == 409  # somebody has answered


async def test_reload(gateway: SmallGateway, page: Asking) -> None:
    gateway.config_file.write_text("[workers]\nspares = 2\n")
    status, done = await page.post("reload", {})
    assert status == 200
    assert [change["key"] for change in done["changes"]] == ["workers.spares"]


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("rotate", {"to": "nobody"}, 409),
        ("key", {"name": "nobody", "status": "disabled"}, 409),
        ("key", {"name": "../clients/x", "status": "disabled"}, 409),
        ("key", {"name": "second", "status": "gone"}, 409),
        ("key", {"name": "", "status": "disabled"}, 400),
        ("key", {"name": ["x"], "status": "disabled"}, 400),
        ("key", b"[]", 400),
        ("key", b"{", 400),
        ("key", b"[" * 4000, 400),
        ("key", b"\xff", 400),
        ("approval", {"id": "nothing", "approved": True}, 409),
        ("approval", {"id": "../x", "approved": True}, 409),
        ("approval", {"id": "x"}, 400),
        ("approval", {"approved": True}, 400),
        ("state", {}, 404),
        ("clients", {"name": "x"}, 404),
        ("../v1/clients", {"name": "x"}, 404),
    ],
)
async def test_a_change_that_is_not_right_changes_nothing(
    gateway: SmallGateway, page: Asking, name: str, body: Any, expected: int
) -> None:
    before = gateway.keys_file.read_bytes()
    status, answer = await page.post(name, body)
    assert (status, answer["error"][:7]) == (expected, "cannot ")
    assert gateway.keys_file.read_bytes() == before


async def test_only_what_is_listed_can_be_asked_for(page: Asking) -> None:
    for name in ("", "config", "env", "rotate", "reload", "key", "../v1/env", "state/", "state?x"):
        assert (await page.get(name))[0] == 404, name


@pytest.mark.parametrize(
    ("name", "body"),
    [("rotate", {"to": "second"}), ("key", {"name": "second", "status": "disabled"}), ("reload", {}), ("key", b"{")],
)
async def test_read_only_refuses_every_change(gateway: SmallGateway, socket: Path, name: str, body: Any) -> None:
    page = Asking(socket, read_only=True)
    before = gateway.keys_file.read_bytes()
    status, answer = await page.post(name, body)
    assert status == 403
    assert "--read-only" in answer["error"]
    assert gateway.keys_file.read_bytes() == before
    assert (await page.post("approval", {"id": ask(gateway), "approved": True}))[0] == 403
    assert [row["shown"] for row in (await page.get("state"))[1]["approvals"]] == ["Bash: ls"]
    assert (gateway.generation, await gateway.audit.rows(10)) == (1, [])
    assert (await page.get("state"))[1]["read_only"] is True
