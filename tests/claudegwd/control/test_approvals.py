from __future__ import annotations

import httpx

from claudegwd.workspaces.approvals import Approval, WantedCall
from tests.small_gateway import SmallGateway


def begun(gateway: SmallGateway) -> Approval:
    approval = gateway.workspaces.approvals.begin(
        WantedCall("repo", "/w", "webui", "webui", "Bash", {"command": "x"}), shown="Bash: x", why="no rule"
    )
    assert approval is not None
    return approval


async def test_they_are_listed_approved_and_denied(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    approval, other = begun(gateway), begun(gateway)
    assert (await client.get("/v1/approvals")).json() == {"approvals": [approval.row(), other.row()]}
    done = await client.post(f"/v1/approvals/{approval.id}/approve", json={})
    assert done.json() == {"id": approval.id, "approved": True, "always": False}
    assert approval.allowed
    done = await client.post(f"/v1/approvals/{other.id}/deny", json={"why": "not now"})
    assert done.json() == {"id": other.id, "approved": False}
    assert (other.allowed, other.reason) == (False, "not now")
    changes = (await client.get("/v1/audit")).json()["changes"]
    assert [(change["what"], change["fields"].get("action")) for change in changes] == [
        ("approved in a workspace", "Bash: x"), ("denied in a workspace", "Bash: x"),
    ]  # fmt: skip


async def test_what_looks_like_a_token_is_shown_and_not_recorded(
    gateway: SmallGateway, client: httpx.AsyncClient
) -> None:
    call = WantedCall("repo", "/w", "webui", "webui", "Bash", {})
    approval = gateway.workspaces.approvals.begin(call, shown="Bash: x sk-false-11111111", why="no rule")
    assert approval is not None
    [row] = (await client.get("/v1/approvals")).json()["approvals"]
    assert row["shown"] == "Bash: x sk-false-11111111"
    await client.post(f"/v1/approvals/{approval.id}/deny", json={})
    [change] = (await client.get("/v1/audit")).json()["changes"]
    assert change["fields"]["action"] == "Bash: x [redacted]"


async def test_refusals(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    approval = begun(gateway)
    for path, body, status in (
        (f"{approval.id}/approve", {"always": 1}, 400),
        (f"{approval.id}/deny", {"why": 5}, 400),
        (f"{approval.id}/deny", {"what": "x"}, 400),
        ("none/approve", {}, 404),
        ("none/deny", {}, 404),
    ):
        assert (await client.post(f"/v1/approvals/{path}", json=body)).status_code == status, path
    assert approval.allowed is None
