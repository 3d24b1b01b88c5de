"""A client key that is revoked while its answer is under way."""

from __future__ import annotations

import json

import httpx
import pytest
import trio

from claudegwd.demo.script import ScriptedReply, Text, Wait
from tests.e2e.harness import MODEL, running

pytestmark = pytest.mark.cli


async def test_a_revoked_client_is_told_so_in_mid_stream() -> None:
    never = trio.Event()
    async with running(
        lambda _: ScriptedReply((Text(("begin",)), Wait(never))), config="[auth]\nrequired = true\n"
    ) as gateway:
        made = (await gateway.control("POST", "/v1/clients", {"name": "laptop"})).json()
        token = next(value for value in made.values() if isinstance(value, str) and value.startswith("cgw-"))
        gateway.daemon.secrets.add(token)
        headers = {"authorization": f"Bearer {token}"}
        lines: list[str] = []
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Begin."}], "stream": True}
        async with gateway.http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                lines.append(line)
                if "begin" in line:
                    revoked: httpx.Response = await gateway.control("DELETE", "/v1/clients/laptop")
                    assert revoked.is_success
        *_, error, done = [line for line in lines if line.startswith("data: ")]
        assert done == "data: [DONE]"
        assert json.loads(error[6:])["error"]["code"] == "invalid_api_key"
        await gateway.until_workers(busy=0)
        again = await gateway.http.get("/v1/models", headers=headers)
        assert again.status_code == 401
        assert "an attempt failed" not in gateway.log
