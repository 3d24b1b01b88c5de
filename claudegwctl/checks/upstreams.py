"""Check that the upstreams can be reached from here: DNS, connection, TLS and HTTP. No credential is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from claudegwctl.checks.finding import OK, PROBLEM, Finding, Scene

if TYPE_CHECKING:
    import http.client

# The upstream of keys without a base_url, and of the CLI's own login.
DEFAULT_URL: Final = "https://api.anthropic.com"
CONNECT_SECONDS: Final = 5.0
# Resolving a name can take longer than that if no name server answers, and cannot be interrupted.
PATIENCE_SECONDS: Final = 12.0
# Bounds the threads; more addresses than this would show the same problem.
UPSTREAMS_MAX: Final = 16

_NAME: Final = "check its spelling, and this machine's DNS settings"
_AUTHORITY: Final = "if a proxy presents its own certificate, set NODE_EXTRA_CA_CERTS to it, for the CLI"
_PROXY: Final = "check HTTPS_PROXY, NO_PROXY and what the proxy allows"


def check(scene: Scene) -> Iterator[Finding]:
    """One finding per address. Only a running daemon knows the keys, so without one there are none."""
    if scene.status is None:
        return
    from threading import Thread

    found: dict[str, Finding] = {}
    wanted = dict(list(addresses(scene).items())[:UPSTREAMS_MAX])
    threads = [Thread(target=_note, args=(found, url, whose, scene.env), daemon=True) for url, whose in wanted.items()]
    for thread in threads:
        thread.start()
    for url, thread in zip(wanted, threads, strict=True):
        thread.join(PATIENCE_SECONDS)
        says = f"{_place(url)} gave no answer within {PATIENCE_SECONDS:g} s"
        yield found.get(url) or Finding("upstream", PROBLEM, says, _NAME)


def addresses(scene: Scene) -> dict[str, str]:
    """The upstreams' addresses with the names of their keys; disabled keys are omitted.

    Where the CLI's own login goes (Anthropic, Bedrock, a relay) is known only from the daemon's environment."""
    found: dict[str, str] = {}
    for key in (scene.status or {}).get("keys") or []:
        if key.get("state") != "disabled":
            url = key.get("base_url") or DEFAULT_URL
            found[url] = f"{found[url]}, {key['name']}" if url in found else key["name"]
    return found


def _note(found: dict[str, Finding], url: str, whose: str, env: Mapping[str, str]) -> None:
    fault = reach(url, env)
    if fault is None:
        found[url] = Finding("upstream", OK, f"{_place(url)} answers ({whose})")
    else:
        found[url] = Finding("upstream", PROBLEM, f"{_place(url)} cannot be reached ({whose}): {fault[0]}", fault[1])


def reach(url: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """Why it cannot be reached, and how to fix it; None if anything answers there. Blocks."""
    import http.client
    import socket
    import ssl

    connection, proxy = None, ""
    try:
        connection, proxy = _connection(url, env)
        connection.request("HEAD", urlsplit(url).path or "/", headers={"user-agent": "claudegwctl-doctor"})
        connection.getresponse()
    except socket.gaierror:
        return f"name not resolved{_of(proxy)}", _PROXY if proxy else _NAME
    except ssl.SSLCertVerificationError as error:
        return f"TLS: {error.verify_message}", _AUTHORITY
    except ssl.SSLError as error:
        return f"TLS: {(error.reason or 'it failed').lower().replace('_', ' ')}", _AUTHORITY
    except http.client.HTTPException:
        return "it does not speak HTTP, or closed the connection", "check base_url, above all its port"
    except TimeoutError:
        return f"no answer within {CONNECT_SECONDS:g} s{_of(proxy)}", _PROXY if proxy else "check for a firewall"
    except (OSError, ValueError) as error:
        return _of_connection(error, proxy)
    finally:
        if connection is not None:
            connection.close()
    return None


def _connection(url: str, env: Mapping[str, str]) -> tuple[http.client.HTTPConnection, str]:
    """The connection, not open yet, and the proxy that it uses; "" for none."""
    import http.client
    import ssl

    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    proxy = _proxy_of(parts.scheme, host, env)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else parts
    port = via.port or (443 if via.scheme == "https" else 80)
    if not secure:
        return http.client.HTTPConnection(via.hostname or "", port, timeout=CONNECT_SECONDS), proxy
    context = ssl.create_default_context()
    if extra := env.get("NODE_EXTRA_CA_CERTS"):
        context.load_verify_locations(extra)
    made = http.client.HTTPSConnection(via.hostname or "", port, timeout=CONNECT_SECONDS, context=context)
    if proxy:
        made.set_tunnel(host, parts.port or 443)
    return made, proxy


def _proxy_of(scheme: str, host: str, env: Mapping[str, str]) -> str:
    """The proxy that the CLI would take from the environment; none for this machine itself."""
    name = f"{scheme}_proxy"
    proxy = env.get(name) or env.get(name.upper()) or ""
    without = [word.strip().lstrip(".") for word in (env.get("no_proxy") or env.get("NO_PROXY") or "").split(",")]
    near = host in ("localhost", "127.0.0.1", "::1")
    excepted = any(word == "*" or (word and (host == word or host.endswith(f".{word}"))) for word in without)
    return "" if near or excepted else proxy


def _of_connection(error: OSError | ValueError, proxy: str) -> tuple[str, str]:
    text = str(error)
    if "Tunnel connection failed" in text:
        return f"refused by the proxy ({text.partition(': ')[2][:60]})", _PROXY
    number = getattr(error, "errno", None)
    why = os.strerror(number).lower() if number else "its address is unusable"
    return f"{why}{_of(proxy)}", _PROXY if proxy else "check base_url, and check for a firewall"


def _of(proxy: str) -> str:
    return " (at the proxy)" if proxy else ""


def _place(url: str) -> str:
    """Host and port only: an address may contain a password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "an address without a host name"
