"""Two daemons, one store. Their CLI is the fake one, whose upstream fails by what the token says."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from claudegwd.shared.own_name import HELD_SECONDS
from tests.control_cli import ctl
from tests.e2e.daemon_process import POLL_SECONDS, Daemon, free_port
from tests.fake_binary import write_fake_cli
from tests.plain_http import control_client, http_client
from tests.redis_server import RedisServer, needs_redis, redis_server
from tests.websocket_client import connected

pytestmark = needs_redis

PATIENCE_SECONDS = 30.0
SCALE = Path(__file__).parents[2] / "docs" / "scale.md"
MODEL = "fake-echo-1"
SLOW_MODEL = "fake-gap-5000"
BRIEF_MODEL = "fake-gap-60"
DEAD = "sk-false-fail-401-0001"
PRIVATE = "nobody is to read this"
KEYS = ({"name": "dead", "token": DEAD}, {"name": "good", "token": "sk-false-good-0002"})


_ASKED = [{"role": "user", "content": "Hello."}]
# Path below /v1, body, status of the answer.
REQUESTS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("chat/completions", {"model": MODEL, "messages": _ASKED}, 200),
    ("chat/completions", {"model": MODEL, "messages": "wrong"}, 400),
    ("chat/completions", {"model": "no-such-model", "messages": _ASKED}, 404),
    ("completions", {"model": MODEL, "prompt": ["Hello."], "max_tokens": 1000}, 200),
    ("responses", {"model": MODEL, "input": "Hello."}, 200),
    ("responses", {"model": MODEL, "input": "Hello.", "previous_response_id": "resp_none"}, 400),
    ("responses/compact", {"model": MODEL, "input": _ASKED}, 200),
    ("responses/input_tokens", {"model": MODEL, "input": "Hello."}, 200),
    ("messages", {"model": MODEL, "messages": _ASKED, "max_tokens": 1000}, 200),
    ("messages", {"model": MODEL, "messages": _ASKED}, 400),
    ("messages/count_tokens", {"model": MODEL, "messages": _ASKED}, 200),
)


@contextmanager
def daemons(server: RedisServer, home: Path, count: int = 2, limits: str = "") -> Iterator[list[Daemon]]:
    cli = write_fake_cli(home)
    secret = home / "secret"
    secret.touch(0o600)
    secret.write_text("false-secret-of-the-machines-0123456789\n")
    made = []
    try:
        for number in range(count):
            config = f'[claude]\nmodels = ["{MODEL}", "{SLOW_MODEL}", "{BRIEF_MODEL}"]\n'
            config += f'[shared]\nurl = "{server.url}"\nmachine = "m{number}"\n'
            config += f'secret_file = "{secret}"\n'
            if limits:
                config += f"[limits]\n{limits}\n"
            made.append(Daemon("http://127.0.0.1:9", KEYS, config, cli=cli))
        for daemon in made:
            daemon.spawn()
        for daemon in made:
            daemon.wait_until_ready()
        yield made
        for daemon in made:
            daemon.stop()
    finally:
        for daemon in made:
            daemon.remove()


async def ask(daemon: Daemon, client_key: str = "any") -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}]}
    headers = {"authorization": f"Bearer {client_key}"}
    async with http_client(timeout=PATIENCE_SECONDS, headers=headers) as client:
        return await client.post(f"http://127.0.0.1:{daemon.port}/v1/chat/completions", json=body)


async def status(daemon: Daemon) -> dict[str, Any]:
    async with control_client(daemon.socket) as client:
        found: dict[str, Any] = (await client.get("/v1/status")).json()
        return found


async def key(daemon: Daemon, name: str) -> dict[str, Any]:
    return next(row for row in (await status(daemon))["keys"] if row["name"] == name)


async def test_a_dead_key_is_asked_once_by_all_machines_together(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        assert (await ask(one)).status_code == 200
        assert (await key(one, "dead"))["state"] == "invalid"
        with trio.fail_after(PATIENCE_SECONDS):
            while (await key(two, "dead"))["state"] != "invalid":
                await trio.sleep(POLL_SECONDS)
        assert (await ask(two)).status_code == 200
        assert [(await key(daemon, "dead"))["requests"] for daemon in (one, two)] == [1, 0]
        shown = (await ctl(two.socket, "status")).out
        assert f"{server.path} (" in shown
        assert "reported by m0" in shown
        seen: list[tuple[object, ...]] = []
        with trio.fail_after(PATIENCE_SECONDS):  # what a machine says of itself is some seconds old
            while seen != [("m0", "ready", 1, 2), ("m1", "ready", 1, 2)]:
                rows = (await ctl(one.socket, "status", "--all", "--json")).json["machines"]
                seen = [(row["machine"], row["state"], row["keys_usable"], row["keys"]) for row in rows]


async def test_a_store_that_goes_away_is_shown_and_stops_nobody(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path, 1) as (daemon,):
        server.stop()
        with trio.fail_after(PATIENCE_SECONDS):
            while (await status(daemon))["shared"]["away_since"] is None:
                await trio.sleep(POLL_SECONDS)
        assert (await ask(daemon)).status_code == 200
        async with http_client() as client:
            assert (await client.get(f"http://127.0.0.1:{daemon.port}/readyz")).status_code == 200
        assert "this machine continues with what it knows" in (await ctl(daemon.socket, "status")).out
        server.start()
        with trio.fail_after(PATIENCE_SECONDS):
            while (await status(daemon))["shared"]["away_since"] is not None:
                await trio.sleep(POLL_SECONDS)


def refused(server: RedisServer, home: Path, settings: str) -> str:
    """What a machine says that does not start."""
    daemon = Daemon("http://127.0.0.1:9", KEYS, f'[shared]\nurl = "{server.url}"\n{settings}', cli=write_fake_cli(home))
    try:
        daemon.spawn()
        assert daemon.process is not None
        assert daemon.process.wait(PATIENCE_SECONDS) == 78
        return daemon.log()
    except subprocess.TimeoutExpired:
        raise AssertionError(daemon.log()) from None
    finally:
        daemon.remove()


def test_a_wrong_password_is_exit_status_78(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("sk-false-wrong\n")
    with redis_server("--requirepass", "sk-false-right") as server:
        said = refused(server, tmp_path, f'password_file = "{password}"\n')
        assert "shared.password_file does not contain the password" in said
        assert "sk-false-wrong" not in said


async def test_so_is_the_name_of_a_machine_that_runs_but_not_of_one_that_was_killed(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path, 1) as (one,):
        (tmp_path / "other").mkdir()
        settings = f'machine = "m0"\nsecret_file = "{tmp_path / "secret"}"\n'
        said = await trio.to_thread.run_sync(refused, server, tmp_path / "other", settings)
        assert "shared.machine must be another name than m0" in said
        assert f"process {one.pid})" in said
        assert (await status(one))["shared"]["away_since"] is None
        await trio.to_thread.run_sync(one.kill)
        began = trio.current_time()
        await trio.to_thread.run_sync(one.start)
        assert trio.current_time() - began < HELD_SECONDS  # nobody waits for the name of one that is dead
        assert (await status(one))["shared"]["away_since"] is None


async def test_a_clients_limit_holds_over_all_machines_and_its_headers_say_so(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path, limits="requests_per_minute = 3") as (one, two):
        began = trio.current_time()
        answers = [await ask(daemon) for daemon in (one, two, one, two, one, two)]
        more = int((trio.current_time() - began) * 3 / 60)
        passed = [answer for answer in answers if answer.status_code == 200]
        assert 3 <= len(passed) <= 3 + more
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in passed[:3]] == ["2", "1", "0"]
        refused = answers[-1]
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 0 < float(refused.headers["retry-after"]) <= 20


async def test_each_request_counts_once_over_all_machines_whatever_it_asks(tmp_path: Path) -> None:
    limits = "requests_per_minute = 60\ntokens_per_minute = 1000000"
    with redis_server() as server, daemons(server, tmp_path, limits=limits) as machines:
        began, sent = trio.current_time(), 0

        async def left(machine: Daemon) -> int:
            nonlocal sent
            sent += 1
            return int((await ask(machine)).headers["x-ratelimit-remaining-requests"])

        async def counts(number: int) -> None:
            """What was sent is counted, no more, and no less but for what a minute gives in this time."""
            seen = await left(machines[number % 2])
            assert 60 - sent <= seen <= 60 - sent + (trio.current_time() - began) + 1

        for number, (path, body, answers) in enumerate(REQUESTS):
            machine = machines[number % 2]
            headers = {"anthropic-version": "2023-06-01"}
            async with http_client(timeout=PATIENCE_SECONDS, headers=headers) as client:
                answer = await client.post(f"http://127.0.0.1:{machine.port}/v1/{path}", json=body)
            sent += 1
            assert (path, answer.status_code) == (path, answers), answer.text
            await counts(number)
        async with connected(machines[0].port) as socket:
            await socket.ask(model=MODEL, input="Hello.", generate=False)
            sent += 1
            await counts(1)


async def test_tokens_that_one_machine_granted_are_refused_by_the_other_on_every_face(tmp_path: Path) -> None:
    """The first request holds all tokens while its answer comes."""
    with redis_server() as server, daemons(server, tmp_path, limits="tokens_per_minute = 2000") as (one, two):
        body = {"model": SLOW_MODEL, "max_tokens": 1900, "stream": True, "messages": _ASKED}
        chat = f"http://127.0.0.1:{one.port}/v1/chat/completions"
        headers = {"anthropic-version": "2023-06-01"}
        async with (
            http_client(timeout=PATIENCE_SECONDS, headers=headers) as client,
            client.stream("POST", chat, json=body) as first,
        ):
            assert first.status_code == 200
            for path, asked, answers in REQUESTS:
                answer = await client.post(f"http://127.0.0.1:{two.port}/v1/{path}", json=asked)
                asks = answers == 200 and not path.endswith("tokens")
                assert (path, answer.status_code) == (path, 429 if asks else answers), answer.text


async def test_a_client_of_one_machine_is_known_to_all_and_its_limit_is_one(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        key = (await ctl(one.socket, "clients", "create", "ann", "--rpm", "3", "--json")).json["key"]
        with trio.fail_after(PATIENCE_SECONDS):
            while (answer := await ask(two, key)).status_code == 401:
                await trio.sleep(POLL_SECONDS)
        answers = [answer, *[await ask(daemon, key) for daemon in (one, two, one)]]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"
        assert (await ctl(two.socket, "clients", "revoke", "ann")).status == 0
        with trio.fail_after(PATIENCE_SECONDS):
            while (await ask(one, key)).status_code != 401:
                await trio.sleep(POLL_SECONDS)
        assert key not in one.log() + two.log()


async def test_a_clients_budget_is_one_over_all_machines_and_the_store_hears_nothing_private(tmp_path: Path) -> None:
    with redis_server() as server, server.overheard() as said, daemons(server, tmp_path) as (one, two):
        key = (await ctl(one.socket, "clients", "create", "ann", "--budget", "1tokens/day", "--json")).json["key"]
        assert (await ask(one, key)).status_code == 200
        with trio.fail_after(PATIENCE_SECONDS):
            # At first the other one may only have heard that a request holds the budget: that is told as a limit.
            while (answer := await ask(two, key)).json().get("error", {}).get("code") != "insufficient_quota":
                await trio.sleep(POLL_SECONDS)
        assert answer.status_code == 429
        [shown] = (await ctl(two.socket, "clients", "list", "--json")).json["clients"]
        assert shown["budgets"][0]["used"] > 1
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            body = {"model": MODEL, "input": PRIVATE}
            kept = (await client.post(f"http://127.0.0.1:{one.port}/v1/responses", json=body)).json()
            with trio.fail_after(PATIENCE_SECONDS):
                while not server.ask("EXISTS", *_keys(kept)):
                    await trio.sleep(POLL_SECONDS)
    heard = b"".join(said)
    assert b"claudegwd:response:" in heard
    assert b"claudegwd:spent:" in heard
    for secret in (key, *(each["token"] for each in KEYS), PRIVATE, '"ann"', kept["id"]):
        assert secret.encode() not in heard, secret


async def test_a_response_of_one_machine_is_gone_on_from_shown_and_deleted_on_another(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        async with http_client(timeout=PATIENCE_SECONDS) as client:
            here, there = (f"http://127.0.0.1:{daemon.port}/v1/responses" for daemon in (one, two))
            first = (await client.post(here, json={"model": MODEL, "input": "Hello."})).json()
            with trio.fail_after(PATIENCE_SECONDS):
                while (shown := await client.get(f"{there}/{first['id']}")).status_code == 404:
                    await trio.sleep(POLL_SECONDS)
            assert shown.json() == first
            second = (
                await client.post(here, json={"model": MODEL, "input": "Go on.", "previous_response_id": first["id"]})
            ).json()
            with trio.fail_after(PATIENCE_SECONDS):
                while not server.ask("EXISTS", *_keys(second)):
                    await trio.sleep(POLL_SECONDS)
            await trio.to_thread.run_sync(two.kill)
            await trio.to_thread.run_sync(two.start)  # what it had in memory is gone
            body = {
                "model": MODEL,
                "previous_response_id": second["id"],
                "input": [
                    {"type": "item_reference", "id": first["output"][0]["id"]},
                    {"role": "user", "content": "And on."},
                ],
            }
            third = await client.post(there, json=body)
            assert third.status_code == 200, third.text
            items = await client.get(f"{there}/{second['id']}/input_items")
            assert items.json()["data"][0]["content"][0]["text"] == "Go on."
            assert (await client.delete(f"{there}/{first['id']}")).status_code == 200
            with trio.fail_after(PATIENCE_SECONDS):
                while (await client.get(f"{here}/{first['id']}")).status_code != 404:
                    await trio.sleep(POLL_SECONDS)
            lost = await client.post(there, json={"model": MODEL, "input": "?", "previous_response_id": "resp_none"})
            assert lost.json()["error"]["code"] == "previous_response_not_found"


async def test_a_response_that_ends_while_its_machine_stops_is_not_lost(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path, 1) as (daemon,):
        asked = {"model": BRIEF_MODEL, "input": "Hello.", "background": True}
        async with http_client(timeout=PATIENCE_SECONDS) as client:
            made = (await client.post(f"http://127.0.0.1:{daemon.port}/v1/responses", json=asked)).json()
        process = daemon.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert await trio.to_thread.run_sync(process.wait) == 0
        assert server.ask("EXISTS", *_keys(made)) == 1


async def test_a_compacted_conversation_can_go_on_on_another_machine(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        async with http_client(timeout=PATIENCE_SECONDS) as client:
            here, there = (f"http://127.0.0.1:{daemon.port}/v1/responses" for daemon in (one, two))
            asked = {"model": MODEL, "input": "Hello."}
            compacted = (await client.post(f"{here}/compact", json=asked)).json()
            went_on = {"model": MODEL, "input": [*compacted["output"], {"role": "user", "content": "Go on."}]}
            answer = await client.post(there, json=went_on)
            assert answer.status_code == 200, answer.text


async def test_the_usage_of_all_machines_is_shown_as_one(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        assert [(await ask(daemon)).status_code for daemon in (one, two, two)] == [200] * 3
        with trio.fail_after(PATIENCE_SECONDS):  # the second machine is known once it has said that it is there
            while (found := (await ctl(one.socket, "usage", "--all", "--json")).json)["total"]["requests"] != 3:
                await trio.sleep(POLL_SECONDS)
        assert (found["machines"], found["machines_silent"]) == (["m0", "m1"], [])
        assert found["rows"][0]["prompt_tokens"] > 0
        for daemon in (one, two):  # and its client, wherever it asks
            own = await own_usage(daemon)
            assert (own["total"], own["complete"]) == (found["total"], True)
        await trio.to_thread.run_sync(two.stop)
        own = await own_usage(one)
        assert (own["total"]["requests"], own["complete"]) == (1, False)
        server.stop()
        with trio.fail_after(PATIENCE_SECONDS):
            while (await status(one))["shared"]["away_since"] is None:
                await trio.sleep(POLL_SECONDS)
        assert (await own_usage(one))["complete"] is False


async def own_usage(daemon: Daemon) -> dict[str, Any]:
    """What the client itself is told."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        found: dict[str, Any] = (await client.get(f"http://127.0.0.1:{daemon.port}/v1/usage")).json()
        return found


async def test_keys_are_disabled_and_rotated_on_all_machines_and_no_file_is_changed(tmp_path: Path) -> None:
    with redis_server() as server, daemons(server, tmp_path) as (one, two):
        files = [daemon.keys_file.read_bytes() for daemon in (one, two)]
        done = await ctl(one.socket, "keys", "disable", "good", "--all")
        assert done.out == "good is disabled on all machines\n"
        with trio.fail_after(PATIENCE_SECONDS):
            while (await key(two, "good"))["state"] != "disabled":
                await trio.sleep(POLL_SECONDS)
        alone = await ctl(two.socket, "keys", "enable", "good")
        assert (alone.status, "keys enable good --all" in alone.err) == (1, True)
        assert "disabled on all machines" in (await ctl(two.socket, "keys", "list")).out
        assert (await ctl(two.socket, "keys", "enable", "good", "--all")).out == "good is ready\n"
        with trio.fail_after(PATIENCE_SECONDS):
            while (await key(one, "good"))["state"] != "ready":
                await trio.sleep(POLL_SECONDS)
        assert (await ctl(one.socket, "rotate", "--all", "good")).out == "all machines are now using good\n"
        with trio.fail_after(PATIENCE_SECONDS):
            while (await key(two, "good"))["state"] != "active":
                await trio.sleep(POLL_SECONDS)
        assert [daemon.keys_file.read_bytes() for daemon in (one, two)] == files
        server.stop()
        with trio.fail_after(PATIENCE_SECONDS):
            while (await status(one))["shared"]["away_since"] is None:
                await trio.sleep(POLL_SECONDS)
        away = await ctl(one.socket, "keys", "disable", "good", "--all")
        assert (away.status, "the shared store is unavailable" in away.err) == (1, True)
        assert (await key(one, "good"))["state"] == "active"


def pasted(page: str, heading: str) -> list[str]:
    """What the shell lines under a heading of docs/scale.md write into files."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"<<'?EOF'?\n(.*?)^EOF$", section, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: `apt-get install openssl`")
async def test_by_paste_from_the_page_a_second_machine_joins(tmp_path: Path) -> None:
    page = SCALE.read_text()
    [server_lines] = pasted(page, "A second machine joins")
    store_lines, shared_lines = pasted(page, "A store for what they share")
    [secrets] = re.findall(r"^umask .*$", page, re.MULTILINE)
    await trio.run_process(["/bin/sh", "-c", secrets], cwd=tmp_path)
    cli = write_fake_cli(tmp_path)
    password = (tmp_path / "shared.password").read_text().strip()
    assert "requirepass $(cat shared.password)" in store_lines
    with redis_server("--requirepass", password) as server, ExitStack() as stack:
        machines = []
        for number in range(2):
            config = server_lines.replace("10.0.0.11:8000", f"127.0.0.1:{free_port()}").replace("10.0.0.1", "127.0.0.1")
            config += shared_lines.replace("valkey://10.0.0.2", server.url) + f'machine = "m{number}"\n'
            daemon = Daemon("http://127.0.0.1:9", KEYS[1:], f'{config}[claude]\nmodels = ["{MODEL}"]\n', cli=cli)
            stack.callback(daemon.remove)
            for name in ("shared.password", "shared.secret"):
                shutil.copy(tmp_path / name, daemon.home / name)
            await trio.to_thread.run_sync(daemon.start)
            machines.append(daemon)
            if number == 0:  # the first one has served for a while
                made = await ctl(daemon.socket, "clients", "create", "ann", "--budget", "1Mtokens/day", "--json")
                assert (await ask(daemon, made.json["key"])).status_code == 200
        joined = machines[1]
        with trio.fail_after(PATIENCE_SECONDS):
            while (await ask(joined, made.json["key"])).status_code != 200:
                await trio.sleep(POLL_SECONDS)
        with trio.fail_after(PATIENCE_SECONDS):
            while (used := [await spent(daemon) for daemon in machines])[0] != used[1]:
                await trio.sleep(POLL_SECONDS)
        assert f"{server.path} (" in (await ctl(joined.socket, "status")).out


async def spent(daemon: Daemon) -> float:
    [row] = (await ctl(daemon.socket, "clients", "list", "--json")).json["clients"]
    used: float = row["budgets"][0]["used"]
    return used


def _keys(response: dict[str, Any]) -> list[str]:
    digest = hashlib.sha256(f"\0{response['id']}".encode()).hexdigest()
    return [f"claudegwd:response:{digest}"]
