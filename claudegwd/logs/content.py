"""Requests and answers in the log, for debugging: only while log.content is on."""

from __future__ import annotations

import logging

from claudegwd.logs.entry import MAX_TEXT
from claudegwd.logs.event import log


def log_content(what: str, content: bytes, request_id: str) -> None:
    """Log the beginning of `content` as text. The caller has checked log.content. Tokens are redacted as always.

    It does not use `event`, whose fields must never contain such text, whatever the settings are.
    """
    shown = content[:MAX_TEXT].decode(errors="replace")
    log.log(logging.INFO, "%s: %s", what, shown, extra={"fields": {"request_id": request_id, "bytes": len(content)}})
