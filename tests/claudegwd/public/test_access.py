"""Who may come in, without a connection: hosts, origins, types, keys."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from claudegwd.config import Config
from claudegwd.config.schema import AuthConfig, ServerConfig
from claudegwd.limits.clients import ANONYMOUS, Client, ClientBook, ClientTotals, token_digest
from claudegwd.limits.meter import Limits
from claudegwd.openai_api.errors import AuthenticationFailed, GatewayError, PermissionDenied, UnsupportedMediaType
from claudegwd.public import access

KEY = "cgw-false-key-of-ann"


def gateway(*binds: str, needs_key: bool = True, **server: Any) -> Any:
    """What the access checks look at of a gateway."""
    binds = binds or ("127.0.0.1:8000",)
    book = ClientBook([(Client("ann", token_digest(KEY)), ClientTotals())], default=Limits())
    return SimpleNamespace(
        config=Config(server=ServerConfig(bind=binds, **server), auth=AuthConfig()),
        life=SimpleNamespace(binds=list(binds)),
        clients=SimpleNamespace(book=book),
        needs_key=lambda: needs_key,
    )


def refused(error: type[GatewayError], function: Any, *arguments: Any) -> None:
    with pytest.raises(error) as caught:
        function(*arguments)
    assert caught.value.message.startswith("cannot ")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("localhost.:8000", "localhost"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[evil", "evil"),
        ("", ""),
        (" a.example ", "a.example"),
    ],
)
def test_the_name_of_a_host(host: str, name: str) -> None:
    assert access.name_of(host) == name


OURS = ["localhost", "127.0.0.1", "127.0.0.1:9", "[::1]:8000", "LOCALHOST.", "gateway.lan", "GATEWAY.lan:443"]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8000", "10.0.0.7", "",
           "[::2]", "127.0.0.1@evil.example", "a:b:c", "gateway.lan.evil", "0", "2130706433",
           "ev_il", "..", ":"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_hosts_that_are_ours(host: str) -> None:
    access.check_host(gateway(allowed_hosts=("gateway.lan",)), host)


def test_a_request_without_a_host_is_told_so() -> None:
    with pytest.raises(PermissionDenied, match="without a Host"):
        access.check_host(gateway(), "")


@pytest.mark.parametrize("host", FOREIGN)
def test_hosts_that_a_web_page_may_have_pointed_here(host: str) -> None:
    refused(PermissionDenied, access.check_host, gateway(allowed_hosts=("gateway.lan",)), host)


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000"])
def test_listening_everywhere_any_address_is_ours_and_still_no_name(bind: str) -> None:
    wide = gateway(bind)
    for host in ("10.0.0.7:8000", "[fe80::1]:8000", "192.168.1.1"):
        access.check_host(wide, host)
    for host in ("evil.example", "a:b:c", "ev_il", "1.2.3", "2130706433", "١.٢.٣.٤"):
        refused(PermissionDenied, access.check_host, wide, host)


def test_the_address_that_we_listen_on_is_ours() -> None:
    access.check_host(gateway("10.0.0.7:8000"), "10.0.0.7:8000")
    access.check_host(gateway("[fd00::7]:8000"), "[FD00:0::7]:8000")
    refused(PermissionDenied, access.check_host, gateway("10.0.0.7:8000"), "10.0.0.8:8000")


@given(st.text(max_size=40), st.sampled_from(["127.0.0.1:8000", "0.0.0.0:8000", "[::]:8000"]))
def test_whatever_a_host_says_it_is_taken_or_refused(host: str, bind: str) -> None:
    with suppress(PermissionDenied):
        access.check_host(gateway(bind), host)


def test_origins() -> None:
    here = gateway(cors_origins=("https://chat.lan",))
    access.check_origin(here, None)
    access.check_origin(here, "https://chat.lan")
    for origin in ("null", "", "https://evil.example", "http://chat.lan", "https://chat.lan.evil.example", "*"):
        refused(PermissionDenied, access.check_origin, here, origin)
    refused(PermissionDenied, access.check_origin, gateway(), "http://127.0.0.1:3000")


@pytest.mark.parametrize("value", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
def test_json_is_taken(value: str) -> None:
    access.check_body_type(Headers({"content-type": value}))
    for encoding in ("Identity", "gzip", "zstd"):
        access.check_body_type(Headers({"content-type": value, "content-encoding": encoding}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/jsonp"},
        *({"content-type": "application/json", "content-encoding": each} for each in ("br", "gzip, identity")),
    ],
)
@pytest.mark.parametrize("length", [{"content-length": "2"}, {"transfer-encoding": "chunked"}])
def test_what_a_page_may_send_without_asking_is_not(headers: dict[str, str], length: dict[str, str]) -> None:
    refused(UnsupportedMediaType, access.check_body_type, Headers({**headers, **length}))


@pytest.mark.parametrize("headers", [{}, {"content-length": "0"}, {"content-type": "text/plain"}])
def test_what_is_no_body_needs_no_type(headers: dict[str, str]) -> None:
    access.check_body_type(Headers(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": f"BEARER   {KEY} "},
        {"x-api-key": KEY},
        {"authorization": "Basic YTpi", "x-api-key": KEY},
        {"authorization": "Bearer none", "x-api-key": KEY},
        {"authorization": "Bearer", "x-api-key": KEY},
        {"authorization": f"Bearer {KEY}", "x-api-key": f"{KEY}x"},
        {"authorization": f"Bearer {KEY}", "x-api-key": "none"},
    ],
)
def test_a_key_in_either_header_opens(headers: dict[str, str]) -> None:
    assert access.authenticate(gateway(), Headers(headers)).name == "ann"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": KEY},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer{KEY}"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"x-api-key": f"Bearer {KEY}"},
        {"cookie": f"api_key={KEY}"},
        {"api-key": KEY},
    ],
)
def test_nothing_else_does(headers: dict[str, str]) -> None:
    refused(AuthenticationFailed, access.authenticate, gateway(), Headers(headers))


@given(st.text(max_size=200))
def test_no_text_but_the_key_is_a_key_and_none_is_told_back(text: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        access.authenticate(gateway(), Headers({"x-api-key": text.replace("\n", "").replace("\r", "")}))
    assert KEY not in caught.value.message


@pytest.mark.parametrize("token", ["none", "any", "sk-false-1", "", "CGW-false", f" x{KEY}"])
def test_without_authentication_everybody_is_the_same_client(token: str) -> None:
    assert access.authenticate(gateway(needs_key=False), Headers({"x-api-key": token})) is ANONYMOUS
    assert access.authenticate(gateway(needs_key=False), Headers({"authorization": f"Bearer {token}"})) is ANONYMOUS


def test_a_client_key_holds_also_where_none_is_asked_for() -> None:
    open_door = gateway(needs_key=False)
    assert access.authenticate(open_door, Headers({"x-api-key": KEY})).name == "ann"
    assert access.authenticate(open_door, Headers({"x-api-key": KEY, "authorization": "Bearer none"})).name == "ann"
    refused(AuthenticationFailed, access.authenticate, open_door, Headers({"x-api-key": f"{KEY}x"}))
    open_door.clients.book.revoke("ann", 1.0)
    refused(AuthenticationFailed, access.authenticate, open_door, Headers({"authorization": f"Bearer {KEY}"}))
