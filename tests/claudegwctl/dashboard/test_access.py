from __future__ import annotations

from collections.abc import Mapping

import pytest

from claudegwctl.dashboard.access import Access
from claudegwctl.dashboard.exchange import DashboardRequest

HOST = "127.0.0.1:4321"
ORIGIN = f"http://{HOST}"


def opened() -> tuple[Access, str]:
    """A dashboard on port 4321, and the cookie that its link was exchanged for."""
    secrets = iter(("token", "session", "place"))
    access = Access(4321, lambda _: next(secrets))
    entered = access.check(DashboardRequest("GET", "/", {"token": "token"}, {"host": HOST}))
    assert entered is not None
    return access, dict(entered.headers)["set-cookie"].partition(";")[0]


def status(method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> int | None:
    """Of a request with the cookie, Host and these headers; None where it may pass."""
    access, cookie = opened()
    found = access.check(DashboardRequest(method, path, query or {}, {"host": HOST, "cookie": cookie, **headers}))
    return None if found is None else found.status


def test_the_link_gives_a_cookie_for_the_pages_place_alone() -> None:
    access = Access(4321)
    token = access.link.partition("token=")[2]
    assert access.link == f"http://127.0.0.1:4321/?token={token}"
    entered = access.check(DashboardRequest("GET", "/", {"token": token}, {"host": HOST}))
    assert entered is not None
    assert entered.status == 200
    cookie = dict(entered.headers)["set-cookie"]
    assert cookie.split("; ")[1:] == [f"Path={access.place}", "HttpOnly", "SameSite=Strict"]
    # Each is a secret of its own.
    assert len({token, access.place.strip("/"), cookie.partition(";")[0].partition("=")[2]}) == 3
    assert min(len(token), len(access.place)) > 40
    assert token not in repr(DashboardRequest("GET", "/", {"token": token}, {"cookie": cookie})) + repr(entered)
    assert access.place.encode() in entered.body


def test_the_link_works_once() -> None:
    access, cookie = opened()
    assert "token" not in cookie
    again = access.check(DashboardRequest("GET", "/", {"token": "token"}, {"host": HOST}))
    assert again is not None
    assert (again.status, again.headers) == (403, ())


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": "toke"}, {"token": "tokenx"}, {"token": "tökén"}])
def test_a_link_that_is_not_right_is_refused_and_uses_nothing_up(query: Mapping[str, str]) -> None:
    secrets = iter(("token", "session", "place"))
    access = Access(4321, lambda _: next(secrets))
    refused = access.check(DashboardRequest("GET", "/", query, {"host": HOST}))
    assert refused is not None
    assert (refused.status, refused.headers) == (403, ())
    entered = access.check(DashboardRequest("GET", "/", {"token": "token"}, {"host": HOST}))
    assert entered is not None
    assert entered.status == 200


@pytest.mark.parametrize("host", ["127.0.0.1:4321", "localhost:4321", "LOCALHOST:4321"])
def test_names_of_this_machine_may_be_asked(host: str) -> None:
    assert status("GET", "/place/", {"host": host}) is None
    assert status("GET", "/place/", {"host": host, "origin": f"http://{host.lower()}"}) is None


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:4321", "127.0.0.1", "127.0.0.1:4322", "localhost.evil.example:4321",
             "127.0.0.1:4321; 127.0.0.1:4321", "[::1]:4321"],
)  # fmt: skip
def test_another_host_is_refused_whatever_it_asks(host: str) -> None:
    for path, query in (("/place/", {}), ("/", {"token": "token"}), ("/elsewhere", {})):
        assert status("GET", path, {"host": host}, query) == 403


FOREIGN = ["https://evil.example", "null", "", "http://127.0.0.1:4322", "https://127.0.0.1:4321",
           "http://localhost:4321", f"{ORIGIN}; {ORIGIN}", f"{ORIGIN}/"]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(method: str, origin: str) -> None:
    change = {"x-claudegwctl": "1", "content-type": "application/json"}
    assert status(method, "/place/api/state", {"origin": origin, **change}) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_port_is_refused(site: str) -> None:
    assert status("GET", "/place/api/state", {"sec-fetch-site": site}) == 403
    # The link may be clicked on anywhere.
    access = Access(4321, lambda _: "secret")
    found = access.check(DashboardRequest("GET", "/", {"token": "secret"}, {"host": HOST, "sec-fetch-site": site}))
    assert found is not None
    assert found.status == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_own_page_is_served(site: str) -> None:
    assert status("GET", "/place/api/state", {"sec-fetch-site": site, "origin": ORIGIN}) is None


@pytest.mark.parametrize(
    "cookie",
    ["", "claudegwctl-4321=", "claudegwctl-4321=sessio", "claudegwctl-4321=sessionx", "claudegwctl-4322=session",
     "session", "claudegwctl-4321=token", "x=claudegwctl-4321=session"],
)  # fmt: skip
def test_without_the_cookie_nothing_is_shown(cookie: str) -> None:
    for path in ("/place/", "/place/main.js", "/place/api/state"):
        assert status("GET", path, {"cookie": cookie}) == 403


def test_the_cookie_is_found_among_others() -> None:
    assert status("GET", "/place/", {"cookie": "a=b; claudegwctl-4321=session; c=d"}) is None


@pytest.mark.parametrize("path", ["/place", "/api/state", "//place/", "/x/place/", "/favicon.ico", "/%70lace/", "*"])
def test_nothing_is_elsewhere(path: str) -> None:
    assert status("GET", path, {}) == 404


@pytest.mark.parametrize(
    ("missing", "expected"), [("origin", 403), ("x-claudegwctl", 403), ("content-type", 415), (None, None)]
)
def test_a_change_needs_all_that_only_our_page_can_send(missing: str | None, expected: int | None) -> None:
    headers = {"origin": ORIGIN, "x-claudegwctl": "1", "content-type": "application/json"}
    headers.pop(missing or "", None)
    assert status("POST", "/place/api/reload", headers) == expected


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_a_form_can_send_is_refused(kind: str) -> None:
    headers = {"origin": ORIGIN, "x-claudegwctl": "1", "content-type": kind}
    assert status("POST", "/place/api/reload", headers) == 415
