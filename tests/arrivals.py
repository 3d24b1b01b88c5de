"""Waiting for what the scripted endpoint is asked."""

from __future__ import annotations

from typing import Final

import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.script import RecordedRequest

POLL_SECONDS: Final = 0.002


async def arrived(endpoint: ScriptedEndpoint, number: int) -> RecordedRequest:
    """Wait until so many requests have come in since the start; that one (counted from 1)."""
    while endpoint.count < number:
        await trio.sleep(POLL_SECONDS)
    return endpoint.requests[number - endpoint.count - 1]
