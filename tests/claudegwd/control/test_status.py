from __future__ import annotations

import httpx

from tests.small_gateway import TOKENS


async def test_what_it_holds_at_least(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/status")
    status = answer.json()
    assert status.keys() >= {
        "version", "claude_version", "pid", "uptime_seconds", "state", "binds", "keys", "workers", "requests",
        "config_generation", "last_reload",
    }  # fmt: skip
    assert [(key["name"], key["state"]) for key in status["keys"]] == [
        ("primary", "active"),
        ("second", "ready"),
        ("off", "disabled"),
    ]
    assert not any(token in answer.text for token in TOKENS)
