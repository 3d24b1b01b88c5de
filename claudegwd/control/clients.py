"""/v1/clients: who may use the gateway. A client's key is in the answer that makes it, and nowhere else."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Clients, Gateway
from claudegwd.control.problems import BadRequest, Refused
from claudegwd.redact import know_tokens

# As in the configuration: far above what one machine answers.
MAX_PER_MINUTE: Final = 10**10


class NewClient(msgspec.Struct, forbid_unknown_fields=True):
    """What may be said of a new client; what is left out is as [limits] says."""

    name: str
    models: list[str] = []
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    expires: float | None = None


async def rows(gateway: Gateway, _: Ask) -> Answer:
    """GET /v1/clients"""
    return Answer({"clients": await _clients(gateway).rows()})


async def create(gateway: Gateway, ask: Ask) -> Answer:
    """POST /v1/clients"""
    clients = _clients(gateway)
    wanted = _wanted(ask.object())
    try:
        key = await clients.create(
            wanted.name,
            models=wanted.models,
            requests_per_minute=wanted.requests_per_minute,
            tokens_per_minute=wanted.tokens_per_minute,
            concurrent_requests=wanted.concurrent_requests,
            expires=wanted.expires,
        )
    except ValueError as error:
        raise Refused(409, "conflict", str(error)) from None
    know_tokens([key])
    ask.changed("client created", client=wanted.name)
    return Answer({"name": wanted.name, "key": key}, status=201)


async def revoke(gateway: Gateway, ask: Ask) -> Answer:
    """DELETE /v1/clients/{name}"""
    name = ask.path["name"]
    try:
        await _clients(gateway).revoke(name)
    except LookupError as error:
        raise Refused(404, "not_found", str(error.args[0])) from None
    ask.changed("client revoked", client=name)
    return Answer({"revoked": name})


def _clients(gateway: Gateway) -> Clients:
    if gateway.clients is None:
        raise Refused(501, "not_available", "cannot manage client keys: this daemon keeps none; set API_KEYS instead")
    return gateway.clients


def _wanted(fields: dict[str, Any]) -> NewClient:
    try:
        wanted = msgspec.convert(fields, NewClient)
    except msgspec.ValidationError as error:
        raise BadRequest(f"cannot create the client: {error}") from None
    limits = (wanted.requests_per_minute, wanted.tokens_per_minute, wanted.concurrent_requests)
    if any(limit is not None and not 0 <= limit <= MAX_PER_MINUTE for limit in limits):
        raise BadRequest(f"cannot create the client: a limit is a whole number from 0 (none) to {MAX_PER_MINUTE}")
    if wanted.expires is not None and not wanted.expires > time.time():
        raise BadRequest("cannot create the client: it would have expired already")
    return wanted
