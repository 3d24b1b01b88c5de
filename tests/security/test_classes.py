"""The holes that gateways for language models have had, one test each: none of them is here."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trio

from claudegwd.claude_cli.launch import argv
from claudegwd.config.fields import KEYS
from claudegwd.demo.replies import echo
from tests.e2e.harness import GOOD_KEY, Running, running
from tests.e2e.harness import MODEL as REAL_MODEL
from tests.fake_binary import write_fake_cli
from tests.security.children import children

MODEL = "fake-echo-1"
SCRATCH = tempfile.TemporaryDirectory(prefix="cgw-fake-")
SHARED: dict[str, Any] = {
    "cli": write_fake_cli(Path(SCRATCH.name)),
    "config": f'[auth]\nrequired = true\n[claude]\nmodels = ["{MODEL}"]\n[limits]\nrequests_per_minute = 0\n',
}
CHAT = "/v1/chat/completions"


def body(text: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
async def ann(gateway: Running) -> dict[str, str]:
    return await client(gateway, "ann")


@pytest.fixture
async def ben(gateway: Running) -> dict[str, str]:
    return await client(gateway, "ben")


_keys: dict[tuple[int, str], str] = {}


async def client(gateway: Running, name: str) -> dict[str, str]:
    """The headers of a client, who is made once for each daemon."""
    place = gateway.pid, name
    if place not in _keys:
        _keys[place] = (await gateway.control("POST", "/v1/clients", {"name": name})).json()["key"]
        gateway.daemon.secrets.add(_keys[place])
    return {"authorization": f"Bearer {_keys[place]}"}


def is_refused(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    assert response.json()["error"]["message"].startswith("cannot ")


@pytest.mark.cli
async def test_request_chooses_upstream() -> None:
    """Fields and headers that other gateways take for where to send a request, or with which key."""
    evil = "http://evil.example:9/"
    chosen = {"base_url": evil, "api_base": evil, "api_key": "sk-false-mine", "provider": "other",
              "fallbacks": ["x"], "extra_headers": {"host": "evil.example"}, "proxy": evil,
              "env": {"ANTHROPIC_BASE_URL": evil}}  # fmt: skip
    headers = {"x-upstream": evil, "x-forwarded-host": evil, "anthropic-api-key": "sk-false-mine",
               "x-litellm-api-base": evil, "anthropic-beta": "evil.example", "x-portkey-custom-host": evil}  # fmt: skip
    async with running(echo()) as gateway:
        answer = await gateway.post({**body("asked"), "model": REAL_MODEL, **chosen}, headers=headers)
        assert answer.json()["choices"][0]["message"]["content"] == "asked"
        (request,) = gateway.upstream()
        assert request.headers["authorization"] == f"Bearer {GOOD_KEY}"
        assert "evil.example" not in str(request.headers)
        assert "sk-false-mine" not in str(request.headers) + str(request.body)


async def test_authentication_on_a_rebuilt_path(gateway: Running) -> None:
    """The route that is checked is served, whatever a header says. (Paths: tests/e2e/test_access.py.)"""
    for name in ("x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-forwarded-path", "x-accel-redirect"):
        is_refused(await gateway.http.get("/v1/models", headers={name: "/livez"}), 401)
        assert (await gateway.http.get("/livez", headers={name: "/v1/models"})).text == "ok\n"
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        is_refused(await gateway.http.get("/v1/models", headers={name: "OPTIONS"}), 401)


async def test_header_as_address(gateway: Running) -> None:
    """Nobody becomes local, or somebody else, by saying so."""
    for name in ("x-forwarded-for", "x-real-ip", "forwarded", "client-ip", "true-client-ip", "cf-connecting-ip"):
        is_refused(await gateway.http.get("/v1/models", headers={name: "127.0.0.1"}), 401)
    for name in ("x-user", "x-remote-user", "x-authenticated-user", "x-client", "x-client-cert"):
        is_refused(await gateway.http.get("/v1/models", headers={name: "ann"}), 401)


async def test_short_digests(gateway: Running, ann: dict[str, str]) -> None:
    """What is kept of a key is the whole SHA-256 of 256 random bits; a part of either opens nothing."""
    key = ann["authorization"].removeprefix("Bearer ")
    assert len(key.removeprefix("cgw-")) >= 43
    with sqlite3.connect(next((gateway.home / "state").glob("*.db*"))) as database:
        digests = [row[0] for row in database.execute("SELECT digest FROM clients")]
    assert digests
    for digest in digests:
        raw = digest if isinstance(digest, bytes) else bytes.fromhex(digest)
        assert len(raw) == 32
        is_refused(await gateway.http.get("/v1/models", headers={"x-api-key": raw.hex()}), 401)
    for wrong in (key[:-1], key + "a", key[4:], key.swapcase(), key + "\t" + key, key[:20]):
        is_refused(await gateway.http.get("/v1/models", headers={"x-api-key": wrong}), 401)


async def test_option_injection(gateway: Running, ann: dict[str, str]) -> None:
    """No name of a request gets onto a command line: unknown models are refused before anything is started."""
    for model in ("--version", "-p", f"{MODEL} --dangerously-skip-permissions", f"{MODEL}\n--x", "$(id)", "%00"):
        is_refused(await gateway.post({**body(), "model": model}, headers=ann), 404)
    tools = [{"type": "function", "function": {"name": "--allowedTools", "parameters": {"type": "object"}}}]
    await gateway.post(body(tools=tools, user="--debug", stop=["--verbose"]), headers=ann)
    # Without the program, and with the options as they are once it is known what the CLI can do, and before that.
    lines = [argv(Path("claude"), bare=True, client_log=True, whole=whole)[2:] for whole in (True, False)]
    assert _command_lines(gateway) <= {b"".join(os.fsencode(word) + b"\0" for word in line) for line in lines}


def _command_lines(gateway: Running) -> set[bytes]:
    # From the CLI's first option on: one that is just starting still bears the name of its interpreter's starter, or
    # none of its options yet.
    return {child.argv.partition(b"\0-p\0")[2] for child in children(gateway.daemon)} - {b""}


async def test_files_by_the_prompt(gateway: Running, ann: dict[str, str]) -> None:
    """`file` parts and URLs are content or refused, never opened here. (@file in a text: tests/e2e/test_chat.py.)"""
    for url in ("file:///etc/passwd", "/etc/passwd", "data:text/plain,@/etc/passwd", "\\\\host\\share", "@/etc/passwd"):
        part = {"type": "image_url", "image_url": {"url": url}}
        is_refused(await gateway.post(body([part]), headers=ann), 400)
    for file in ({"file_id": "/etc/passwd"}, {"file_data": "/etc/passwd"}, {"file_data": "file:///etc/passwd"}):
        is_refused(await gateway.post(body([{"type": "file", "file": file}]), headers=ann), 400)


async def test_ssrf_by_media_url(gateway: Running, ann: dict[str, str]) -> None:
    """Nobody is called for an address in a request."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    names = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "a@127.0.0.1", "0.0.0.0")
    async with listener:
        for scheme in ("http", "https", "ftp", "gopher", "HTTP"):
            for name in names:
                part = {"type": "image_url", "image_url": {"url": f"{scheme}://{name}:{port}/x.png"}}
                is_refused(await gateway.post(body([part]), headers=ann), 400)
        with trio.move_on_after(0.2) as nobody:
            await listener.accept()
        assert nobody.cancelled_caught


async def test_ssrf_by_an_allowed_host() -> None:
    """Of a host that may be fetched from, only public addresses: its name may come to mean one of ours."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    hosts = ["localhost", "127.0.0.1"]
    config = f'[server]\nfetch_hosts = {json.dumps(hosts)}\n[claude]\nmodels = ["{MODEL}"]\n'
    async with listener, running(echo(), config=config, cli=SHARED["cli"]) as gateway:
        for scheme in ("http", "https"):
            for name in hosts:
                part = {"type": "image_url", "image_url": {"url": f"{scheme}://{name}:{port}/x.png"}}
                answer = await gateway.post(body([part]))
                is_refused(answer, 400)
                assert answer.json()["error"]["param"] == "messages[0].content[0].image_url.url"
        with trio.move_on_after(0.2) as nobody:
            await listener.accept()
        assert nobody.cancelled_caught


async def test_unbounded_n(gateway: Running, ann: dict[str, str]) -> None:
    """One request is a bounded number of questions."""
    for n in (9, 10**6, 10**30, -1, 0, 1.5, "8", True):
        is_refused(await gateway.post(body(n=n), headers=ann), 400)
    for more in ({"prompt": ["a"] * 1000}, {"prompt": "a", "best_of": 1000}, {"prompt": ["a"] * 8, "n": 8}):
        is_refused(await gateway.post({"model": MODEL, **more}, "/v1/completions", headers=ann), 400)


async def test_rebinding(gateway: Running, ann: dict[str, str]) -> None:
    """A web page's own name, pointed at this address, is no name of ours."""
    headers = {**ann, "host": f"rebound.example:{gateway.port}"}
    is_refused(await gateway.post(body(), headers=headers), 403)
    is_refused(await gateway.http.get("/health", headers=headers), 403)
    is_refused(await gateway.post(body(), headers={**ann, "origin": "http://rebound.example"}), 403)


async def test_requests_without_asking_first(gateway: Running) -> None:
    """What a page may send without a preflight (form, text, beacon) is read by no route."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await gateway.http.post(CHAT, content=json.dumps(body()), headers={"content-type": kind})
        assert answer.status_code in (401, 415)
        assert "access-control-allow-origin" not in answer.headers


async def test_cross_client_state(gateway: Running, ann: dict[str, str], ben: dict[str, str]) -> None:
    """What one client has, another does not see, change, stop or go on with. (Workers: tests/e2e/test_workers.py.)"""
    project = (await gateway.post({"name": "anns"}, "/v1/projects", headers=ann)).json()["id"]
    made = await gateway.post({"title": "anns", "system_prompt": "anns secret"}, "/v1/sessions", headers=ann)
    session = made.json()["id"]
    for path in (f"/v1/projects/{project}", f"/v1/sessions/{session}", f"{CHAT}/{session}/status"):
        is_refused(await gateway.http.get(path, headers=ben), 404)
    for path in (f"/v1/projects/{project}", f"/v1/sessions/{session}", f"{CHAT}/{session}"):
        is_refused(await gateway.http.delete(path, headers=ben), 404)
    for path in ("/v1/projects", "/v1/sessions", f"/v1/sessions?project_id={project}"):
        assert (await gateway.http.get(path, headers=ben)).json()["data"] == []
        assert (await gateway.http.get(path, headers=ann)).status_code == 200
    said = await gateway.post(body(session_id=session), headers=ben)
    assert "anns" not in said.text
    first = await gateway.post(body("one"), headers=ann)
    text = first.json()["choices"][0]["message"]["content"]
    history = [*body("one")["messages"], {"role": "assistant", "content": text}, {"role": "user", "content": "two"}]
    for who, how in ((ben, {"spare", "cold"}), (ann, {"warm", "continued"})):
        answer = await gateway.post({"model": MODEL, "messages": history}, headers=who)
        assert answer.headers["x-claudegw-worker"] in how


async def test_path_traversal(gateway: Running, ann: dict[str, str]) -> None:
    """Ids and names are looked up, never opened."""
    for ident in ("..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "x%00", "con", "%c0%ae%c0%ae/x", "a" * 5000):
        for place in ("/v1/models/", "/v1/sessions/", "/v1/projects/"):
            is_refused(await gateway.http.get(place + ident, headers=ann), 404)
    kept = (await gateway.post({"name": "p", "path": "../../etc/cron.d"}, "/v1/projects", headers=ann)).json()
    assert kept["path"] == "../../etc/cron.d"
    assert not list(gateway.home.rglob("cron.d"))


async def test_sql_injection(gateway: Running, ann: dict[str, str]) -> None:
    """Ids and filters are values to the database."""
    for text in ("' OR '1'='1", "x'; DROP TABLE sessions; --", '" OR 1=1', "%", "_", "\\"):
        is_refused(await gateway.http.get(f"/v1/sessions/{quote(text)}", headers=ann), 404)
        listed = await gateway.http.get("/v1/sessions", params={"project_id": text}, headers=ann)
        assert listed.json()["data"] == []
    assert (await gateway.http.get("/v1/sessions", headers=ann)).status_code == 200


async def test_header_injection(gateway: Running, ann: dict[str, str]) -> None:
    """No text of a request makes a header of an answer."""
    for text in ("a\r\nset-cookie: x=1", "a\nb: c", "ä€", "\x00", "a" * 20_000):
        for answer in (
            await gateway.post(body(**{text: 1}), headers=ann),
            await gateway.post(body(session_id=text), headers=ann),
            await gateway.post(body(project_id=text), headers=ann),
        ):
            assert answer.status_code in (200, 400), answer.text
            assert "set-cookie" not in answer.headers
            assert sum(len(name) + len(value) for name, value in answer.headers.raw) < 16_384


async def test_log_injection(gateway: Running, ann: dict[str, str]) -> None:
    """No text of a request makes a line of the log, and nothing in an address is logged."""
    await gateway.http.get("/v1/models?token=sk-false-in-an-address-0001", headers={**ann, "x-request-id": "a b"})
    await gateway.http.get("/sk-false-in-an-address-0002%0aforged", headers=ann)
    await gateway.post(body("\nforged"), headers=ann)
    await gateway.http.request("FORGED", "/v1/models", headers=ann)
    assert "in-an-address" not in gateway.log
    assert "\nforged" not in gateway.log


async def test_labels_without_end(gateway: Running, ann: dict[str, str]) -> None:
    """No text of a request becomes a label of a metric, of which there would be no end."""
    for number in range(5):
        await gateway.http.request(f"LABEL{number}", f"/label{number}", headers=ann)
        await gateway.post({**body(user=f"label{number}"), "model": f"label{number}"}, headers=ann)
        await gateway.http.get(f"/v1/sessions/label{number}", headers=ann)
    assert "label" not in (await gateway.http.get("/metrics", headers=ann)).text.lower().replace("labels", "")


async def test_errors_that_tell_too_much(gateway: Running, ann: dict[str, str]) -> None:
    """No file of ours, no address of upstream, no trace and no version in an error."""
    secrets = ("Traceback", ".py", str(gateway.home), gateway.daemon.upstream, "hypercorn", "quart", "k0")
    requests = [
        gateway.http.get("/nothing"),
        gateway.http.get("/nothing", headers=ann),
        gateway.http.post(CHAT, content=b"{", headers={**ann, "content-type": "application/json"}),
        gateway.post(body(model="x"), headers=ann),
        gateway.post(body(messages=[{}]), headers=ann),
        gateway.post({**body(), "model": "fake-crash-ask"}, headers=ann),
        gateway.http.request("BREW", "/v1/models", headers=ann),
    ]
    for request in requests:
        answer = await request
        said = (answer.text + str(answer.headers)).lower()
        assert answer.status_code >= 400
        assert not [secret for secret in secrets if secret.lower() in said], said


async def test_bombs(gateway: Running, ann: dict[str, str]) -> None:
    """Small bodies that become large: compressed, deep, of many values, huge numbers, one expression for ever."""
    for content in (
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"messages":[' + b"[]," * 600_000 + b"[]]}",
        b'{"n":1' + b"0" * 100_000 + b"}",
        b'{"model":"x","model":"y","messages":1e400}',
    ):
        headers = {**ann, "content-type": "application/json"}
        is_refused(await gateway.http.post(CHAT, content=content, headers=headers), 400)
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    asked = body(json.dumps({"a": "a" * 40 + "!"}), response_format=wanted)
    with trio.fail_after(20):
        await gateway.post(asked, headers=ann)
        assert (await gateway.http.get("/livez")).status_code == 200


async def logged(gateway: Running, count: int) -> bool:
    return gateway.log.count("zqword") == count


async def test_content_in_the_log() -> None:
    """No setting but one puts content into the log: by a reload, told everywhere, and with tokens hidden still."""
    words = ("debug", "content", "body", "bodies", "message", "prompt", "trace", "verbose", "dump")
    found = [key for key in KEYS if any(word in key for word in words)]
    assert found == ["server.max_body_bytes", "log.content"]
    plain = f'[claude]\nmodels = ["{MODEL}"]\n[log]\nlevel = "debug"\n'
    asked = body("tell sk-false-in-a-message-0001 and zqword")
    async with running(echo(), config=plain, cli=SHARED["cli"]) as gateway:
        await gateway.post(asked)
        assert "zqword" not in gateway.log
        assert (await gateway.status())["content_logged"] is False
        gateway.daemon.write_config(plain + "content = true\n")
        taken = await gateway.control("POST", "/v1/reload")
        assert "log.content" in taken.json()["warnings"][0]
        assert (await gateway.status())["content_logged"] is True
        for stream in (False, True):
            before = gateway.log.count("zqword")
            await gateway.post({**asked, "stream": stream})
            await gateway.until(partial(logged, gateway, before + 2))  # the question and the answer
        assert "sk-false-in-a-message" not in gateway.log
        gateway.daemon.write_config(plain)
        await gateway.control("POST", "/v1/reload")
        seen = gateway.log.count("zqword")
        await gateway.post(asked)
        assert gateway.log.count("zqword") == seen
