"""HTTP clients for connections without TLS.

httpx reads the machine's certificates for each client that it makes, also where it will never need them. That takes
25 ms of CPU: more than what most clients are made for, and longer than the pause between two looks at a daemon.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

CONTROL_URL = "http://control"


def http_client(base_url: str = "", **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base_url, verify=False, **options)


def control_client(socket: Path, timeout: float = 30.0) -> httpx.AsyncClient:
    """On a control socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False)
    return httpx.AsyncClient(transport=transport, base_url=CONTROL_URL, timeout=timeout)


def blocking_client(base_url: str = "", **options: Any) -> httpx.Client:
    return httpx.Client(base_url=base_url, verify=False, **options)


def blocking_control_client(socket: Path, timeout: float = 30.0) -> httpx.Client:
    """On a control socket."""
    transport = httpx.HTTPTransport(uds=str(socket), verify=False)
    return httpx.Client(transport=transport, base_url=CONTROL_URL, timeout=timeout)
