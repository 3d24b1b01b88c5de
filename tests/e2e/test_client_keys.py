"""A client key's life, through the real control CLI: made, used, counted, kept over restarts, expired, revoked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import echo
from tests.control_cli import ctl
from tests.e2e.harness import Running, running
from tests.fake_binary import write_fake_cli

MODEL = "fake-echo-1"
CONFIG = f'[auth]\nrequired = true\n[claude]\nmodels = ["{MODEL}"]\n'
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}


async def made(gateway: Running, name: str, *options: str) -> dict[str, str]:
    """The headers of a client that `claudegwctl clients create` has made."""
    done = await ctl(gateway.daemon.socket, "clients", "create", name, *options)
    assert done.status == 0, done.err
    key = done.out.strip()
    gateway.daemon.secrets.add(key)
    return {"authorization": f"Bearer {key}"}


async def row_of(gateway: Running, name: str) -> dict[str, Any]:
    listed = (await ctl(gateway.daemon.socket, "clients", "list", "--json")).json["clients"]
    (row,) = [row for row in listed if row["name"] == name]
    return dict(row)


async def test_what_a_client_used_is_listed_and_outlives_a_restart(tmp_path: Path) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        headers = await made(gateway, "laptop", "--rpm", "60", "--tpm", "90000", "--concurrent", "5")
        fresh = await row_of(gateway, "laptop")
        assert (fresh["last_used"], fresh["requests"], fresh["tokens"]) == (None, 0, 0)
        used = 0
        for stream in (False, True):
            wanted = {**BODY, "stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})}
            answer = await gateway.post(wanted, headers=headers)
            assert answer.headers["x-ratelimit-limit-requests"] == "60"
            assert answer.headers["x-ratelimit-limit-tokens"] == "90000"
            last = answer.text.split("data: ")[-2] if stream else answer.text
            used += json.loads(last)["usage"]["total_tokens"]
        row = await row_of(gateway, "laptop")
        assert (row["requests"], row["tokens"]) == (2, used)
        assert abs(row["last_used"] - time.time()) < 60
        os.kill(gateway.pid, signal.SIGTERM)
        await gateway.ended()
        await trio.to_thread.run_sync(gateway.daemon.start)
        assert await row_of(gateway, "laptop") == row
        models = f"{gateway.base_url}/v1/models"  # on a port of its own again
        assert (await gateway.http.get(models, headers=headers)).status_code == 200
        assert (await ctl(gateway.daemon.socket, "clients", "revoke", "laptop")).status == 0
        assert (await gateway.http.get(models, headers=headers)).status_code == 401


async def test_what_is_changed_of_a_client_holds_and_outlives_a_restart(tmp_path: Path) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        headers = await made(gateway, "laptop", "--rpm", "60")
        done = await ctl(gateway.daemon.socket, "clients", "set", "laptop", "--rpm", "7", "--models", MODEL)
        assert done.status == 0, done.err
        answer = await gateway.post(BODY, headers=headers)
        assert answer.headers["x-ratelimit-limit-requests"] == "7"
        listed = (await gateway.http.get("/v1/models", headers=headers)).json()["data"]
        assert [model["id"] for model in listed] == [MODEL]
        await gateway.crash_and_restart()
        row = await row_of(gateway, "laptop")
        assert (row["requests_per_minute"], row["models"]) == (7, [MODEL])
        assert (await gateway.post(BODY, headers=headers)).headers["x-ratelimit-limit-requests"] == "7"
        missing = await ctl(gateway.daemon.socket, "clients", "set", "nobody", "--rpm", "7")
        assert (missing.status, missing.out) == (1, "")
        assert "nobody" in missing.err


async def test_a_new_key_ends_the_old_one_for_good(tmp_path: Path) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        old = await made(gateway, "laptop")
        assert (await gateway.post(BODY, headers=old)).status_code == 200
        done = await ctl(gateway.daemon.socket, "clients", "rotate", "laptop")
        assert done.status == 0, done.err
        gateway.daemon.secrets.add(done.out.strip())
        new = {"authorization": f"Bearer {done.out.strip()}"}
        assert (await row_of(gateway, "laptop"))["requests"] == 1  # what it used before is still its own
        for _ in range(2):
            assert (await gateway.http.get("/v1/models", headers=old)).status_code == 401
            assert (await gateway.post(BODY, headers=new)).status_code == 200
            await gateway.crash_and_restart()


async def test_a_removed_client_is_forgotten_and_its_name_is_free(tmp_path: Path) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        old = await made(gateway, "laptop")
        taken = await ctl(gateway.daemon.socket, "clients", "create", "laptop")
        assert (taken.status, taken.out) == (1, "")
        assert (await ctl(gateway.daemon.socket, "clients", "remove", "laptop")).status == 0
        assert (await gateway.http.get("/v1/models", headers=old)).status_code == 401
        new = await made(gateway, "laptop")
        await gateway.crash_and_restart()
        assert (await gateway.http.get("/v1/models", headers=old)).status_code == 401
        assert (await gateway.http.get("/v1/models", headers=new)).status_code == 200


async def test_a_key_that_is_sent_where_none_is_needed_holds_all_the_same(tmp_path: Path) -> None:
    config = CONFIG.replace("required = true", "required = false")
    async with running(echo(), config=config, cli=write_fake_cli(tmp_path)) as gateway:
        assert (await gateway.post(BODY)).status_code == 200
        headers = await made(gateway, "laptop", "--rpm", "60", "--models", MODEL)
        answer = await gateway.post(BODY, headers=headers)
        assert answer.headers["x-ratelimit-limit-requests"] == "60"
        assert (await row_of(gateway, "laptop"))["requests"] == 1
        assert (await gateway.post({**BODY, "model": "sonnet"}, headers=headers)).status_code == 404
        assert (await ctl(gateway.daemon.socket, "clients", "revoke", "laptop")).status == 0
        assert (await gateway.post(BODY, headers=headers)).status_code == 401
        unknown = {"authorization": f"Bearer cgw-{'0' * 43}"}
        assert (await gateway.http.get("/v1/models", headers=unknown)).status_code == 401
        assert (await gateway.post(BODY, headers={"authorization": "Bearer anything"})).status_code == 200


async def test_a_key_that_has_expired_opens_no_more(tmp_path: Path) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        lasting = await made(gateway, "lasting", "--expires", "1d")
        brief = await made(gateway, "brief", "--expires", "2s")

        async def refused() -> bool:
            answer = await gateway.http.get("/v1/models", headers=brief)
            return answer.status_code == 401 and "expired" in answer.text

        await gateway.until(refused)
        assert (await gateway.http.get("/v1/models", headers=lasting)).status_code == 200


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_open_to_others_without_a_key_is_no_configuration(more: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(prefix="cgw") as home:
        file = Path(home) / "config.toml"
        file.write_text('[server]\nbind = ["0.0.0.0:0"]\n[auth]\nrequired = false\n')
        ended = subprocess.run(
            [sys.executable, "-m", "claudegwd", "--config", str(file), *more],
            env={"HOME": home, "XDG_RUNTIME_DIR": home}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == 78
    assert "auth.required" in ended.stderr
    assert "cannot " in ended.stderr
