"""Access to a running gateway: keys, routes, hosts, origins, limits. The CLI behind it is the fake one."""

from __future__ import annotations

import base64
import json
import re
import stat
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from claudegwd.control.routes import ROUTES as CONTROL_ROUTES
from claudegwd.demo.replies import echo
from claudegwd.public.app import ROUTES
from tests.control_cli import ctl
from tests.e2e.harness import Running, running
from tests.fake_binary import write_fake_cli

MODEL = "fake-echo-1"
PACED = "fake-deltas-1000-gap-50"  # 50 s, if nobody ends it
API_KEYS = ("short", "sk-false-api-key-of-the-older-gateway")
SCRATCH = tempfile.TemporaryDirectory(prefix="cgw-fake-")
SHARED: dict[str, Any] = {
    "cli": write_fake_cli(Path(SCRATCH.name)),
    "env": {"API_KEYS": ",".join(API_KEYS)},
    "config": f"""
[server]
allowed_hosts = ["gateway.lan"]
cors_origins = ["https://chat.lan"]
[auth]
required = true
[claude]
models = {json.dumps([MODEL, PACED])}
[limits]
requests_per_minute = 0
""",
}
CHAT = "/v1/chat/completions"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
PICTURE = (
    "data:image/png;base64,"
    + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 100, 100) + bytes(400_000)).decode()
)


def said(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


async def key_of(gateway: Running, name: str, **limits: Any) -> str:
    """A new client's key, to be found nowhere afterwards."""
    answer = await gateway.control("POST", "/v1/clients", {"name": name, **limits})
    assert answer.is_success, answer.text
    key: str = answer.json()["key"]
    gateway.daemon.secrets.add(key)
    return key


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"].startswith("cannot ")


# -- keys -------------------------------------------------------------------------------------------------------------


async def test_keys_open_by_header_and_never_by_anything_else(gateway: Running) -> None:
    key = await key_of(gateway, "by-header")
    for headers in (bearer(key), {"authorization": f"bEaReR {key}"}, {"X-API-Key": key}):
        assert (await gateway.http.get("/v1/models", headers=headers)).status_code == 200
    for query in (f"api_key={key}", f"key={key}&x-api-key={key}", f"authorization=Bearer%20{key}"):
        refused(await gateway.http.get(f"/v1/models?{query}"), 401, "invalid_api_key")
    for headers in ({"cookie": f"key={key}"}, {"api-key": key}, {"proxy-authorization": f"Bearer {key}"}):
        refused(await gateway.http.get("/v1/models", headers=headers), 401, "invalid_api_key")
    refused(await gateway.post({**BODY, "api_key": key}), 401, "invalid_api_key")
    assert key not in gateway.log


async def test_a_refused_key_is_not_told_back_and_not_logged(gateway: Running) -> None:
    wrong = "sk-false-wrong-key-0123456789"
    answer = await gateway.http.get("/v1/models", headers=bearer(wrong))
    refused(answer, 401, "invalid_api_key")
    assert wrong not in answer.text + str(answer.headers) + gateway.log


async def test_the_older_gateways_keys_open_and_a_short_one_is_warned_about(gateway: Running) -> None:
    for key in API_KEYS:
        assert (await gateway.http.get("/v1/models", headers=bearer(key))).status_code == 200
    assert "a key in API_KEYS is shorter than" in gateway.log
    assert API_KEYS[1] not in gateway.log


async def test_revoking_ends_streams_and_closes_the_door_at_once(gateway: Running) -> None:
    key = await key_of(gateway, "to-revoke")
    body = {**BODY, "model": PACED, "stream": True}
    async with gateway.http.stream("POST", CHAT, json=body, headers=bearer(key)) as response:
        lines = response.aiter_lines()
        async for line in lines:
            if '"content":"' in line and '"content":""' not in line:
                break
        assert (await gateway.control("DELETE", "/v1/clients/to-revoke")).is_success
        refused(await gateway.http.get("/v1/models", headers=bearer(key)), 401, "invalid_api_key")
        with trio.fail_after(5):
            rest = [line async for line in lines if line.startswith("data: ")]
    assert json.loads(rest[-2][6:])["error"]["code"] == "invalid_api_key"
    assert rest[-1] == "data: [DONE]"


async def test_nobody_reaches_the_responses_of_another_client(gateway: Running) -> None:
    ann, bob = [bearer(await key_of(gateway, f"responses-{name}")) for name in ("ann", "bob")]
    body = {"model": MODEL, "input": "What is hers?"}
    made = (await gateway.post(body, "/v1/responses", headers=ann)).json()
    path = f"/v1/responses/{made['id']}"
    for method, where in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        answer = await gateway.http.request(method, path + where, headers=bob, json={} if method == "POST" else None)
        refused(answer, 404, "response_not_found")
    more = {**body, "previous_response_id": made["id"]}
    refused(await gateway.post(more, "/v1/responses", headers=bob), 400, "previous_response_not_found")
    named = {**body, "input": [{"type": "item_reference", "id": made["output"][0]["id"]}]}
    refused(await gateway.post(named, "/v1/responses", headers=bob), 400, "invalid_value")
    assert (await gateway.http.get(path, headers=ann)).json() == made
    assert (await gateway.post(more, "/v1/responses", headers=ann)).status_code == 200


async def test_a_model_that_is_not_the_clients_is_not_there(gateway: Running) -> None:
    bound = await key_of(gateway, "bound", models=[PACED])
    refused(await gateway.post(BODY, headers=bearer(bound)), 404, "model_not_found")
    refused(await gateway.http.get(f"/v1/models/{MODEL}", headers=bearer(bound)), 404, "model_not_found")
    listed = (await gateway.http.get("/v1/models", headers=bearer(bound))).json()["data"]
    assert [model["id"] for model in listed] == [PACED]


# -- routes -----------------------------------------------------------------------------------------------------------

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "X")
OPEN = {route.path for route in ROUTES if route.open}


def written_otherwise(path: str) -> list[str]:
    """Other ways to write a path, which some router or proxy takes for the same."""
    return [path, path + "/", "/" + path, path.upper(), path.replace("/", "%2f"), path.replace("/", "//"),
            path + "%00", f"/./{path}", f"/livez/..{path}", path + ";x", path + "?open=1", path + "#x", path + "%20",
            f"/x/..%2f{path}"]  # fmt: skip


async def test_every_route_is_closed_but_those_that_the_table_opens(gateway: Running) -> None:
    paths = {re.sub(r"<.*?>", "x", route.path) for route in ROUTES}
    unknown = {"/v1/embeddings", "/admin", "/.env", "/static/x", "/favicon.ico", "/docs", "//evil.example"}
    for path in sorted(paths | unknown):
        for method in METHODS:
            for written in written_otherwise(path) if method in ("GET", "POST") else [path]:
                status = await raw(gateway, method, written)
                # The router itself leaves out slashes at the beginning and the end: it is the same route then.
                plain = "/" + written.removesuffix("?open=1").strip("/")
                opened = method in ("GET", "HEAD") and written.startswith("/") and plain in OPEN
                assert status in ((200, 503) if opened else (400, 401)), (method, written, status)


async def raw(gateway: Running, method: str, target: str, *headers: str) -> int:
    """The status of a request whose target goes out as it stands here."""
    async with await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
        lines = [f"{method} {target} HTTP/1.1", "host: localhost", "connection: close", *headers, "", ""]
        await stream.send_all("\r\n".join(lines).encode())
        got = b""
        while piece := await stream.receive_some():
            got += piece
    assert got.startswith(b"HTTP/1.1 "), got
    return int(got.split()[1])


async def test_what_is_open_says_nothing_secret(gateway: Running) -> None:
    key = await key_of(gateway, "unheard-of")
    await gateway.http.get("/v1/models", headers=bearer(key))
    for path in OPEN:
        answer = await gateway.http.get(path)
        said = answer.text + str(answer.headers)
        for secret in ("unheard-of", "k0", str(gateway.home), str(gateway.pid), *gateway.daemon.secrets):
            assert secret not in said, path


async def test_metrics_need_a_key(gateway: Running) -> None:
    refused(await gateway.http.get("/metrics"), 401, "invalid_api_key")
    assert (await gateway.http.get("/metrics", headers=bearer(API_KEYS[1]))).status_code == 200


async def test_control_is_on_its_socket_only(gateway: Running) -> None:
    for route in CONTROL_ROUTES:
        path = re.sub(r"<.*?>", "k0", route.path)
        answer = await gateway.http.request(route.method, path, headers=bearer(API_KEYS[1]))
        if path not in ("/v1/models", "/v1/usage"):  # both faces have these, of their own
            assert answer.status_code in (404, 405), path
        assert not any(secret in answer.text for secret in gateway.daemon.secrets)
    mode = gateway.daemon.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


# -- browsers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "[::1]:8000", "gateway.lan"])
async def test_hosts_that_are_served(gateway: Running, host: str) -> None:
    assert (await gateway.http.get("/livez", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.1.1.1", "a:b:c", "[x", "h" * 64, "a..b"]
)
async def test_hosts_that_are_not_also_on_open_routes_and_with_a_key(gateway: Running, host: str) -> None:
    for path in ("/livez", "/v1/models", "/nothing"):
        refused(await gateway.http.get(path, headers={"host": host, **bearer(API_KEYS[1])}), 403, "host_not_allowed")
    refused(await gateway.http.options(CHAT, headers={"host": host}), 403, "host_not_allowed")


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost:3000", "https://chat.lan.evil"])
async def test_pages_of_other_origins_are_refused_and_get_no_permission(gateway: Running, origin: str) -> None:
    for answer in (
        await gateway.http.get("/livez", headers={"origin": origin}),
        await gateway.post(BODY, headers={"origin": origin, **bearer(API_KEYS[1])}),
        await gateway.http.options(CHAT, headers={"origin": origin, "access-control-request-method": "POST"}),
    ):
        refused(answer, 403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


async def test_an_allowed_page_may_ask_first_without_a_key_and_then_read_also_errors(gateway: Running) -> None:
    origin = {"origin": "https://chat.lan"}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}
    preflight = await gateway.http.options(CHAT, headers={**origin, **asked})
    assert preflight.status_code == 204
    assert {"authorization", "*"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    assert "POST" in preflight.headers["access-control-allow-methods"]
    looked = await gateway.http.get("/livez", headers=origin)
    for answer in (preflight, looked, await gateway.post(BODY, headers=origin)):
        assert answer.headers["access-control-allow-origin"] == "https://chat.lan"
        assert answer.headers["vary"].lower() == "origin"
        assert "access-control-allow-credentials" not in answer.headers
    refused(await gateway.post(BODY, headers=origin), 401, "invalid_api_key")


async def test_a_connection_lives_on_after_asking_first(gateway: Running) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
        for method in ("OPTIONS", "OPTIONS", "GET"):
            await stream.send_all(f"{method} /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 20")


async def test_every_post_takes_json_only_in_a_known_packing(gateway: Running) -> None:
    for route in ROUTES:
        if route.method == "POST":
            for headers in (
                {"content-type": "text/plain"},
                {"content-type": "application/x-www-form-urlencoded"},
                {"content-type": "application/json", "content-encoding": "br"},
            ):
                answer = await gateway.http.post(route.path, content=b"{}", headers={**headers, **bearer(API_KEYS[1])})
                assert answer.status_code == 415, route.path


async def test_headers_of_every_answer(gateway: Running) -> None:
    seen = set()
    key = bearer(API_KEYS[1])
    for answer in (
        await gateway.http.get("/livez"),
        await gateway.http.get("/v1/models"),
        await gateway.http.get("/v1/models", headers=key),
        await gateway.http.get("/nothing", headers=key),
        await gateway.post(BODY, headers=key),
        await gateway.post({**BODY, "stream": True}, headers=key),
        await gateway.post({}, headers=key),
    ):
        assert not {"server", "set-cookie", "x-powered-by", "via"} & set(answer.headers)
        assert answer.headers["openai-processing-ms"].isdigit()
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == 7
    for given in ("my-id_1.2", "a" * 128, "a" * 129, "a b", "ä", ""):
        answer = await gateway.http.get("/livez", headers={"x-request-id": given.encode("latin-1")})
        assert (answer.headers["x-request-id"] == given) is (given in ("my-id_1.2", "a" * 128))


async def test_a_refusal_reaches_a_client_that_is_still_sending(gateway: Running) -> None:
    large = b'{"padding": "' + b" " * 5_000_000 + b'"}'
    async with await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(large)}\r\n\r\n"
        await stream.send_all(head.encode() + large)
        await stream.send_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        got = b""
        while piece := await stream.receive_some():
            got += piece
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"401", b"200"]


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_requests_a_minute_are_told_in_headers_and_true_when_refused(gateway: Running) -> None:
    headers = bearer(await key_of(gateway, "two-a-minute", requests_per_minute=2))
    first, second, third = [await gateway.post(BODY, headers=headers) for _ in range(3)]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in (first, second, third)] == ["1", "0", "0"]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert re.fullmatch(r"\d+(\.\d+)?s", first.headers["x-ratelimit-reset-requests"])
    refused(third, 429, "rate_limit_exceeded")
    assert 20 < int(third.headers["retry-after"]) <= 30
    assert (await gateway.control("POST", "/v1/reload")).is_success
    refused(await gateway.post(BODY, headers=headers), 429, "rate_limit_exceeded")
    # Looking is not limited, and another client is not either.
    assert (await gateway.http.get("/v1/models", headers=headers)).status_code == 200
    assert (await gateway.post(BODY, headers=bearer(API_KEYS[1]))).status_code == 200


def tokens_left(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining-tokens"])


async def test_tokens_a_minute_are_settled_by_what_was_used(gateway: Running) -> None:
    headers = bearer(await key_of(gateway, "frugal", tokens_per_minute=60_000))
    answer = await gateway.post({**BODY, "max_tokens": 50_000}, headers=headers)
    usage = answer.json()["usage"]["total_tokens"]
    assert 60_000 - usage <= tokens_left(answer) <= 60_000 - usage + 2_000  # what a second or two has filled up
    refused(await gateway.post({**BODY, "max_tokens": 50_000, "n": 99}, headers=headers), 400, "invalid_value")
    assert tokens_left(await gateway.post(BODY, headers=headers)) > 55_000  # the refused one had cost nothing


async def test_the_answers_bound_is_reserved_while_it_is_under_way(gateway: Running) -> None:
    headers = bearer(await key_of(gateway, "prudent", tokens_per_minute=60_000))
    streamed = {**BODY, "model": PACED, "stream": True, "max_tokens": 40_000}
    async with held(gateway, streamed, headers) as reserved:
        assert 18_000 < tokens_left(reserved) < 25_000
        late = await gateway.post({**BODY, "max_tokens": 30_000}, headers=headers)
        refused(late, 429, "rate_limit_exceeded")
        assert 1 <= int(late.headers["retry-after"]) <= 12  # 10,000 of 60,000 a minute are missing
        assert (await gateway.post({**BODY, "max_tokens": 5_000}, headers=headers)).status_code == 200

    async def given_back() -> bool:
        return tokens_left(await gateway.post(BODY, headers=headers)) > 55_000

    await gateway.until(given_back, 5)  # in which time 5,000 come of themselves


async def test_what_would_never_fit_is_told_so(gateway: Running) -> None:
    headers = bearer(await key_of(gateway, "small", tokens_per_minute=2_000))
    for more, param in (({"max_tokens": 3_000}, "max_tokens"), ({"messages": said("x" * 10_000)}, "messages")):
        never = await gateway.post({**BODY, **more}, headers=headers)
        refused(never, 429, "rate_limit_exceeded")
        assert never.json()["error"]["param"] == param
        assert never.headers["x-should-retry"] == "false"
    picture = {"type": "image_url", "image_url": {"url": PICTURE}}  # 500,000 characters, and a picture all the same
    assert (await gateway.post({**BODY, "messages": said([picture]), "max_tokens": 9}, headers=headers)).is_success


@asynccontextmanager
async def held(gateway: Running, body: Any, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
    """A stream that has begun and goes on."""
    async with gateway.http.stream("POST", CHAT, json=body, headers=headers) as response:
        assert response.status_code == 200
        yield response


async def test_requests_at_once(gateway: Running) -> None:
    headers = bearer(await key_of(gateway, "one-at-once", concurrent_requests=1))
    async with held(gateway, {**BODY, "model": PACED, "stream": True}, headers):
        refused(late := await gateway.post(BODY, headers=headers), 429, "rate_limit_exceeded")
        assert int(late.headers["retry-after"]) >= 1

    async def answered() -> bool:
        return (await gateway.post(BODY, headers=headers)).status_code == 200

    await gateway.until(answered)


# -- where others can reach us ----------------------------------------------------------------------------------------


async def test_beyond_loopback_a_key_is_needed_and_no_reload_can_change_that() -> None:
    wide = '[server]\nbind = ["0.0.0.0:0"]\n'
    async with running(echo(), config=wide, cli=SHARED["cli"]) as gateway:
        refused(await gateway.http.get("/v1/models"), 401, "invalid_api_key")
        shut_out = "nobody may use it: a client key is required, and there is none"
        assert shut_out in gateway.log
        for command in ("status", "doctor"):
            assert shut_out in (await ctl(gateway.daemon.socket, command)).out
        await gateway.control("POST", "/v1/clients", {"name": "laptop"})
        assert shut_out not in (await ctl(gateway.daemon.socket, "status")).out
        assert (await gateway.http.get("/livez", headers={"host": "10.1.1.1:80"})).status_code == 200
        for host in ("evil.example", "ev_il", "a:b:c"):
            refused(await gateway.http.get("/livez", headers={"host": host}), 403, "host_not_allowed")
        # The new file alone would be fine; the listener that is open is not.
        gateway.daemon.write_config('[server]\nbind = ["127.0.0.1:1"]\n[auth]\nrequired = false')
        answer = await gateway.control("POST", "/v1/reload")
        assert answer.status_code == 422
        assert "auth.required" in answer.text
        refused(await gateway.http.get("/v1/models"), 401, "invalid_api_key")
        gateway.daemon.write_config(wide)
