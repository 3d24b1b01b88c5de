"""Who may see the page: only the browser of the user who started it. Pure, except that its secrets are random.

Other users of this machine can reach the port, and so can any web page in the browser. So there are a link that works
once, a cookie that it is exchanged for, and checks that a request comes from our own page.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Final

from claudegwctl.dashboard.exchange import DashboardRequest, Response, refusal

# The length of each secret: nobody can guess 32 random bytes.
SECRET_BYTES: Final = 32
# A page of another origin cannot send a custom header without a preflight request, which is refused.
MARK: Final = "x-claudegwctl"

_ENTERED: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={place}"><title>claudegwd</title>
<link rel="icon" href="{place}icon.svg">
<p><a href="{place}">Open the dashboard</a></p></html>
"""
_LOCKED: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>claudegwd</title>
<h1>This link has been used, or is invalid</h1>
<p>The link that <code>claudegwctl dashboard</code> prints works once, in one browser. Start it again for a new one.</p>
</html>
"""


class Access:
    """Access control for one dashboard. Thread-safe."""

    def __init__(self, port: int, secret: Callable[[int], str] = token_urlsafe) -> None:
        self._token: str | None = secret(SECRET_BYTES)
        self._session = secret(SECRET_BYTES)
        # Cookies ignore ports: a server on another port of this address receives all cookies that match its path.
        # So the page has a path that nobody can guess, and the cookie is limited to that path.
        self.place = f"/{secret(SECRET_BYTES)}/"
        self._cookie = f"claudegwctl-{port}"
        self._hosts = frozenset((f"127.0.0.1:{port}", f"localhost:{port}"))
        self._lock = threading.Lock()
        self.link = f"http://127.0.0.1:{port}/?token={self._token}"

    def check(self, request: DashboardRequest) -> Response | None:
        """The response that settles a request here; None if it comes from our own page, or asks for it, and its path
        begins with `place`."""
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            # A web page may have pointed its own host name at this address (DNS rebinding).
            return refusal(403, "cannot serve this Host: open the link printed by `claudegwctl dashboard`")
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return refusal(403, "cannot serve this Origin: only the dashboard's own page may use this")
        if request.path == "/" and request.method == "GET":
            return self._enter(request.query)
        if not request.path.startswith(self.place):
            return refusal(404, "cannot find this page: open the link printed by `claudegwctl dashboard`")
        # Another port of this address is the same site to a cookie, but not the same origin.
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return refusal(403, "cannot serve another page: only the dashboard's own page may use this")
        if not self._knows(request.headers.get("cookie", "")):
            return _locked()
        return _check_change(request, origin) if request.method != "GET" else None

    def _enter(self, query: Mapping[str, str]) -> Response:
        """Exchange the token for the cookie, once."""
        with self._lock:
            if self._token is None or not _same(query.get("token", ""), self._token):
                return _locked()
            self._token = None
        cookie = f"{self._cookie}={self._session}; Path={self.place}; HttpOnly; SameSite=Strict"
        # The page forwards, instead of a redirect: if the link was clicked in another page, a redirect still counts as
        # coming from there, and a SameSite=Strict cookie is withheld.
        page = _ENTERED.format(place=self.place).encode()
        return Response(200, "text/html; charset=utf-8", page, (("set-cookie", cookie),))

    def _knows(self, cookies: str) -> bool:
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        return any(name == self._cookie and _same(value, self._session) for name, _, value in pairs)


def _check_change(request: DashboardRequest, origin: str | None) -> Response | None:
    if origin is None or MARK not in request.headers:
        return refusal(403, "cannot make changes for another page: only the dashboard's own page may use this")
    if request.headers.get("content-type", "") != "application/json":
        return refusal(415, "cannot read this body: send it with content-type application/json")
    return None


def _locked() -> Response:
    return Response(403, "text/html; charset=utf-8", _LOCKED)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
