"""A request of the page and its answer, as values: what the others see of HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DashboardRequest:
    """`path` as it was sent, without its query; names of headers are in small letters. Nothing that may hold the token
    or the cookie is shown by its repr."""

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
    """For the page's own requests. `text` begins with "cannot" and says what to do."""
    return json_response({"error": text}, status)
