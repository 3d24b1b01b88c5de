"""A request from the page and its response, as values: all that the other modules see of HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DashboardRequest:
    """`path` is as sent, without the query; header names are lowercase. The repr omits everything that may contain the
    token or the cookie."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Response:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, "application/json", json.dumps(value).encode())


def refusal(status: int, text: str) -> Response:
    """An error for the page's own requests. `text` begins with "cannot" and says what to do."""
    return json_response({"error": text}, status)
