"""POST /v1/drain and /v1/undrain: whether balancers should send new requests here. Those that come are served."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def drain(gateway: Gateway, ask: Ask) -> Answer:
    ask.only()
    changed = gateway.drain()
    if changed:
        ask.changed("draining was asked for")
    return _answer(gateway, changed=changed)


async def undrain(gateway: Gateway, ask: Ask) -> Answer:
    ask.only()
    changed = gateway.undrain()
    if changed:
        ask.changed("draining was ended")
    return _answer(gateway, changed=changed)


def _answer(gateway: Gateway, *, changed: bool) -> Answer:
    requests = len(gateway.requests())
    return Answer({"drained_since": gateway.drained_since, "changed": changed, "requests": requests})
