"""What machines tell each other about a client: everything except its usage. Pure."""

from dataclasses import replace
from typing import Final

import msgspec

from claudegwd.limits.budget import BudgetError, budgets_text, read_budgets
from claudegwd.limits.clients import Client, ClientRefused, check_name

DIGEST_BYTES: Final = 32  # SHA-256


class ClientRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A client's current state, or that it was removed. `changed`: since when; seconds since the epoch."""

    owner: str
    name: str
    changed: float
    removed: bool = False
    digest: bytes = b""
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    created: float = 0.0
    expires: float | None = None
    revoked: float | None = None
    budgets: str = ""
    server_tools: tuple[str, ...] = ()


def record_of(client: Client) -> ClientRecord:
    """The record of a client."""
    return ClientRecord(
        owner=client.owner,
        name=client.name,
        changed=client.changed,
        digest=client.digest,
        models=client.models,
        requests_per_minute=client.requests_per_minute,
        tokens_per_minute=client.tokens_per_minute,
        concurrent_requests=client.concurrent_requests,
        created=client.created,
        expires=client.expires,
        revoked=client.revoked,
        budgets=budgets_text(client.budgets),
        server_tools=client.server_tools,
    )


def client_of(record: ClientRecord) -> Client:
    """The client that a record describes."""
    return Client(
        record.name, record.digest, record.models, record.requests_per_minute, record.tokens_per_minute,
        record.concurrent_requests, record.created, record.expires, record.revoked, record.owner,
        read_budgets(record.budgets), record.server_tools, changed=record.changed,
    )  # fmt: skip


def later(ours: Client, theirs: Client) -> Client:
    """The later of two states of one client, whatever their order; but revoked stays revoked."""
    # If both were changed at the same time, either will do, as long as all machines choose the same.
    newest = max(ours, theirs, key=lambda it: (it.changed, encode_record(record_of(replace(it, revoked=None)))))
    revoked = min((at for at in (ours.revoked, theirs.revoked) if at is not None), default=None)
    return replace(newest, revoked=revoked)


def encode_record(record: ClientRecord) -> bytes:
    """As sealed and sent. All that it contains of the key is the digest."""
    return msgspec.msgpack.encode(record)


def decode_record(data: bytes) -> ClientRecord | None:
    """None if it is not a record: from another version, or not written by us."""
    try:
        record = msgspec.msgpack.decode(data, type=ClientRecord)
        check_name(record.name)
        read_budgets(record.budgets)
    except (msgspec.DecodeError, ClientRefused, BudgetError):
        return None
    return record if record.removed or len(record.digest) == DIGEST_BYTES else None
