"""Access checks: done before any other work for a request, in an order that reveals the least to a stranger."""

import ipaddress
import time
from collections.abc import Mapping
from typing import Any

import trio
from werkzeug.datastructures import Headers

from claudegwd.config.binds import split_bind
from claudegwd.gateway.gateway import Gateway
from claudegwd.limits.clients import ANONYMOUS, PREFIX, Client
from claudegwd.limits.meter import Admission
from claudegwd.openai_api.content_encoding import encoding_of
from claudegwd.openai_api.errors import AuthenticationFailed, PermissionDenied, UnsupportedMediaType
from claudegwd.public.call import at_end
from claudegwd.public.forwarded import client_address

# Names of this machine that DNS cannot point elsewhere.
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def check_host(gateway: Gateway, host: str) -> None:
    """Refuse a Host that is not ours: a web page may have pointed its own name at this address (DNS rebinding)."""
    name = name_of(host)
    if not name:  # HTTP/1.0, as some health checks speak it
        raise PermissionDenied(
            "cannot serve a request without a Host: send `Host: localhost`, or a name in server.allowed_hosts",
            code="host_not_allowed",
        )
    if name in _LOCAL_NAMES or name in gateway.config.server.allowed_hosts:
        return
    bound = {split_bind(bind)[0].lower() for bind in (*gateway.life.binds, *gateway.config.server.bind)}
    if name in bound or (not _EVERYWHERE.isdisjoint(bound) and _is_address(name)):
        return
    raise PermissionDenied(
        "cannot serve this Host: if it is a name of this machine, add it to server.allowed_hosts",
        code="host_not_allowed",
    )


def check_origin(gateway: Gateway, origin: str | None) -> None:
    """Refuse a web page from another origin. Programs send no Origin."""
    if origin is not None and origin not in gateway.config.server.cors_origins:
        raise PermissionDenied(
            "cannot serve this web page: add its origin to server.cors_origins", code="origin_not_allowed"
        )


def address_of(gateway: Gateway, scope: Mapping[str, Any], headers: Headers) -> str | None:
    """Where a request comes from: the peer, or the client named by a proxy in server.trusted_proxies."""
    peer = scope.get("client")
    trusted = gateway.config.server.trusted_proxies
    if not trusted:
        return peer[0] if peer else None
    lines = headers.getlist
    return client_address(peer[0] if peer else "", lines("x-forwarded-for"), lines("forwarded"), trusted)


def check_body_type(headers: Headers) -> None:
    """JSON only, compressed or not: any web page could send a form or text without a preflight.

    A request without a body needs no type; a web page that sends none is still recognized by its Origin.
    """
    if "transfer-encoding" not in headers and headers.get("content-length", "0").strip() == "0":
        return
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType("cannot read this body: send it with content-type application/json")
    encoding_of(headers.get("content-encoding", ""))


def authenticate(gateway: Gateway, headers: Headers) -> Client:
    """The client of the key in Authorization or x-api-key. Raises AuthenticationFailed.

    If no key is required, programs send arbitrary text. But one of our own keys is checked: whoever created it expects
    its limits, models, expiry and revocation to apply.
    """
    token = token_of(headers)
    if not gateway.needs_key() and not token.startswith(PREFIX):
        return ANONYMOUS
    if not token:
        raise AuthenticationFailed(
            "cannot serve without an API key: send `Authorization: Bearer KEY`; `claudegwctl clients create NAME` "
            "creates one"
        )
    return gateway.clients.book.authenticate(token, time.time())


async def admit(gateway: Gateway, client: Client, *, asks: bool) -> Admission:
    """Admit one request under the client's limits, until the request ends. Raises RateLimitExceeded.

    `asks`: it asks a model. Its tokens are reserved once it has been read: judged by its size, a picture would count as
    a book. If machines share the limit, it is admitted only with its tokens, to ask the store once.
    """
    if gateway.sharing is not None:
        admission = await gateway.sharing.limits.admit(client, gateway.clients.book, asks=asks)
    else:
        now = trio.current_time()
        admission = gateway.clients.book.meter(client, now).admit(now)
    at_end(admission.end)
    return admission


def limit_headers(gateway: Gateway, client: Client, *, anthropic: bool = False) -> dict[str, str]:
    """The current state of the limits, in either API's format, and a warning once most of a budget is used."""
    now = trio.current_time()
    meter = gateway.clients.book.meter(client, now)
    headers = meter.anthropic_headers(now, time.time()) if anthropic else meter.headers(now)
    if client.budgets:
        warning = gateway.clients.book.spending.warning(client.name, client.budgets, time.time())
        headers |= {"x-claudegw-budget": warning} if warning else {}
    return headers


def token_of(headers: Headers) -> str:
    """The API key, from either of the two headers. Anthropic's SDK sends both if its environment has both variables:
    then one of our own keys is the one that is meant."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    key = headers.get("x-api-key", "")
    return key if key.startswith(PREFIX) and not bearer.startswith(PREFIX) else bearer or key


def name_of(host: str) -> str:
    """The host of a Host header, normalized: lower case, without port, brackets or trailing dot."""
    host = host.strip().lower()
    if host.startswith("["):
        name = host[1:].partition("]")[0]
        return str(ipaddress.ip_address(name)) if _is_address(name) else name
    return host.partition(":")[0].removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
