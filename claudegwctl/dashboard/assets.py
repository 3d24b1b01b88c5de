"""The page's files, read once: nothing else can be requested, whatever the path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from claudegwctl.dashboard.exchange import Response

INDEX: Final = "index.html"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

# Only our own files and answers; no inline scripts or styles, no forms, no frames; and scripts cannot write HTML
# (trusted types), so that no name in a log or a table can become markup.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
# On every answer.
SECURITY_HEADERS: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cache-control", "no-store"),
)


def load() -> Mapping[str, Response]:
    """The files by name; the page itself is ""."""
    found: dict[str, Response] = {}
    for file in resources.files("claudegwctl.dashboard").joinpath("page").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = Response(200, kind, file.read_bytes())
    found[""] = found.pop(INDEX)
    return found
