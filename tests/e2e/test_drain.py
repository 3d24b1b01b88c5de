"""Draining by the operator: readiness goes, and whoever comes all the same is served."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from claudegwd.demo.replies import last_user_text, say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, Text, Wait
from tests.e2e.harness import MODEL, Running, as_messages, running

pytestmark = pytest.mark.cli


async def _metric(gateway: Running, name: str) -> str:
    text = (await gateway.http.get("/metrics")).text
    return next(line.split()[1] for line in text.splitlines() if line.split()[0] == name)


async def test_what_runs_goes_on_and_what_comes_is_served() -> None:
    release = trio.Event()

    def script(request: RecordedRequest) -> ScriptedReply:
        if last_user_text(request) == "Take your time.":
            return ScriptedReply((Text(("begun ",)), Wait(release), Text(("and ended",))))
        return say("served")

    async with running(script) as gateway:
        assert (await gateway.http.get("/readyz")).status_code == 200
        wanted: Any = {"model": MODEL, "messages": as_messages("Take your time."), "stream": True}
        said = ""
        async for chunk in await gateway.client.chat.completions.create(**wanted):
            said += chunk.choices[0].delta.content or ""
            if said == "begun " and not release.is_set():
                assert (await gateway.control("POST", "/v1/drain")).json()["requests"] == 1
                ready = await gateway.http.get("/readyz")
                assert (ready.status_code, ready.text) == (503, "drained by the operator\n")
                assert (await gateway.ask("Come in.")).text == "served"
                release.set()
        assert said == "begun and ended"
        assert (await gateway.status())["state"] == "draining"
        # Who restarts what is not healthy must not restart it for this.
        health = await gateway.http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "healthy")
        assert await _metric(gateway, "claudegwd_ready") == "0.0"


async def test_it_outlives_a_reload_and_ends_with_undrain_or_a_restart() -> None:
    async with running(lambda _: say("served")) as gateway:
        await gateway.control("POST", "/v1/drain")
        await gateway.control("POST", "/v1/reload")
        assert (await gateway.http.get("/readyz")).status_code == 503
        await gateway.control("POST", "/v1/undrain")
        assert (await gateway.http.get("/readyz")).status_code == 200
        assert await _metric(gateway, "claudegwd_ready") == "1.0"

        await gateway.control("POST", "/v1/drain")
        await gateway.control("GET", "/v1/audit")  # it writes what is pending: kill -9 would lose it
        await gateway.crash_and_restart()
        assert (await gateway.http.get("/readyz")).status_code == 200
        audit = (await gateway.control("GET", "/v1/audit?lines=10")).json()
        told = [row["what"] for row in audit["changes"]]
        assert told[:2] == ["drained by the operator", "configuration reloaded"]
