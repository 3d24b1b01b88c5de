"""The cause of a failed request, from what the CLI says about it. Pure.

Its events have a status if there is one. Otherwise there is only the text of the error line, written for people, with
the system's name for the error in parentheses (observed on 2.1.330). If a later version changes the format, the log
lacks the cause, and nothing else changes.
"""

import re
from typing import Final

import msgspec

# A full stack trace from the upstream would drown the log line; the cause is at its beginning.
DETAIL_MAX: Final = 300

_CODE: Final = re.compile(r"\(([A-Z][A-Z0-9_]{3,48})\)")
_TIMED_OUT: Final = "timed out"
_CAUSES: Final = {
    "ENOTFOUND": "name not resolved",
    "EAI_AGAIN": "name not resolved",
    "ECONNREFUSED": "connection refused",
    "ECONNRESET": "connection dropped",
    "EPIPE": "connection dropped",
    "ETIMEDOUT": _TIMED_OUT,
    "EHOSTUNREACH": "no route",
    "ENETUNREACH": "no route",
    "ERR_PROXY_TUNNEL": "refused by the proxy",
}
_TLS: Final = re.compile(r"CERT|TLS|SSL|SIGNATURE")
# What the CLI prepends to the upstream's text.
_INTRODUCED: Final = re.compile(r"^.{0,60}?API Error: (?:\d{3} )?", re.DOTALL)


class _Block(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: list[_Block] = []


def text_of(message: msgspec.Raw) -> str:
    """The text of an error line's message, without the CLI's introduction; bounded. "" if there is none."""
    try:
        blocks = msgspec.json.decode(message, type=_Message).content
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    text = " ".join(block.text for block in blocks)
    return " ".join(_INTRODUCED.sub("", text[: 4 * DETAIL_MAX]).split())[:DETAIL_MAX]


def connection_cause(text: str, api_error: str | None) -> str:
    """Why there was no answer at all, in a few words, with the system's name for it; "" if it is not stated."""
    found = _CODE.search(text)
    code = found[1] if found else ""
    known = _CAUSES.get(code) or ("TLS" if _TLS.search(code or (api_error or "").upper()) else "")
    if not known and _TIMED_OUT in text[:60]:
        known = _TIMED_OUT
    return f"{known} ({code})" if known and code else known or code or api_error or ""
