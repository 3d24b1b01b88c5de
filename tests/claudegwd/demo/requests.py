"""Recorded requests made by hand, for scripts that are tested without a socket."""

from __future__ import annotations

from typing import Any

import trio

from claudegwd.demo.script import RecordedRequest


def recorded(said: Any = "hi", *, key: str | None = "sk-false-1", **body: Any) -> RecordedRequest:
    """A streamed request whose last message is `said` (text or blocks); other body fields by keyword."""
    whole = {"model": "m-1", "stream": True, "messages": [{"role": "user", "content": said}], **body}
    return RecordedRequest("POST", "/v1/messages", {}, whole, key, 0.0, trio.Event())
