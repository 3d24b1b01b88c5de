"""/v1/clients: who may use the gateway. A client's key is in the response that creates it, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from claudegwd.config.fields import nearest
from claudegwd.config.schema import LimitsConfig
from claudegwd.control.controllable import Clients, Controls
from claudegwd.control.problems import BadRequest, ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.limits.budget import Budget, BudgetError, moment, read_budgets
from claudegwd.limits.clients import check_name
from claudegwd.messages_api.tools import PRICED
from claudegwd.redact import know_tokens
from claudegwd.store.database import StateError

# As in the configuration: far above what one machine can serve.
MAX_PER_MINUTE: Final = 10**10
# The end of the year 9999. A later time is one in milliseconds, and such a key would never expire.
MAX_TIME: Final = 253_402_300_799

_OWN: Final = (
    "models", "requests_per_minute", "tokens_per_minute", "concurrent_requests", "expires", "budgets", "server_tools",
)  # fmt: skip

_T = TypeVar("_T")


class NewClient(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a new client; what is left out defaults to [limits]."""

    name: str
    models: list[str] = []
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    expires: float | None = None
    budget: str = ""
    server_tools: list[str] = []


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """Changeable fields of a client: omitted ones stay, null means as in [limits], or never for `expires`."""

    models: list[str] | msgspec.UnsetType = msgspec.UNSET
    requests_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    tokens_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    concurrent_requests: int | msgspec.UnsetType | None = msgspec.UNSET
    expires: float | msgspec.UnsetType | None = msgspec.UNSET
    budget: str | msgspec.UnsetType | None = msgspec.UNSET
    server_tools: list[str] | msgspec.UnsetType = msgspec.UNSET


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    """GET /v1/clients"""
    return ControlResponse({"clients": await _clients(controls).rows()})


async def create(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/clients"""
    clients = _clients(controls)
    wanted = _read(request.object(), NewClient, "create")
    try:
        check_name(wanted.name)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    await _check(controls, wanted, "create")
    budgets = _budgets(wanted.budget)
    key = await _done(
        clients.create(
            wanted.name,
            models=wanted.models,
            requests_per_minute=wanted.requests_per_minute,
            tokens_per_minute=wanted.tokens_per_minute,
            concurrent_requests=wanted.concurrent_requests,
            expires=wanted.expires,
            budgets=budgets,
            server_tools=wanted.server_tools,
        )
    )
    know_tokens([key])
    given = _own({**msgspec.structs.asdict(wanted), "budgets": budgets}, {})
    request.changed("client created", client=wanted.name, after=_said(given) or "no limits of its own")
    return ControlResponse({"name": wanted.name, "key": key}, status=201)


async def revoke(controls: Controls, request: ControlRequest) -> ControlResponse:
    """DELETE /v1/clients/{name}; with forget=1 its record is deleted too"""
    name = request.path["name"]
    row = await _row(controls, name)
    before = _said(_own(row, _defaults(controls.gateway.config.limits))) or "no limits of its own"
    if request.flag("forget"):
        said = partial(request.changed, "client removed", client=name, before=before)
        await _ended(_clients(controls).remove(name), said)
        return ControlResponse({"removed": name})
    said = partial(request.changed, "client revoked", client=name, before=row.get("state", ""), after="revoked")
    await _ended(_clients(controls).revoke(name), said)
    return ControlResponse({"revoked": name})


async def _ended(change: Awaitable[None], changed: Callable[[], None]) -> None:
    try:
        await _done(change)
    except StateError:
        changed()  # it could not be written, but it is in effect
        raise
    changed()


async def change(controls: Controls, request: ControlRequest) -> ControlResponse:
    """PATCH /v1/clients/{name}"""
    name = request.path["name"]
    wanted = _read(request.object(), Changes, "change")
    await _check(controls, wanted, "change")
    changes: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in msgspec.structs.asdict(wanted).items()
        if value is not msgspec.UNSET
    }
    if "budget" in changes:
        changes["budgets"] = _budgets(changes.pop("budget") or "")
    row = await _row(controls, name)
    before = {field: row.get(field) for field in changes}
    await _done(_clients(controls).set(name, changes))
    request.changed("client changed", client=name, before=_said(before), after=_said(changes))
    return ControlResponse({"changed": name})


async def rotate(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/clients/{name}/rotate"""
    name = request.path["name"]
    key = await _done(_clients(controls).rotate(name))
    know_tokens([key])
    request.changed("client key rotated", client=name)
    return ControlResponse({"name": name, "key": key})


async def _row(controls: Controls, name: str) -> dict[str, Any]:
    """Its current row; {} if there is no such client."""
    return next((row for row in await _clients(controls).rows() if row["name"] == name), {})


def _defaults(limits: LimitsConfig) -> dict[str, Any]:
    return {field: getattr(limits, field) for field in _OWN if hasattr(limits, field)}


def _own(row: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, in the order of `_OWN`. A limit of 0 is no limit, which may differ as well."""
    fields = ((field, row.get(field)) for field in _OWN)
    return {field: value for field, value in fields if value not in (None, [], (), defaults.get(field))}


def _said(fields: dict[str, Any]) -> str:
    """Fields in the form for the log and the audit."""
    return ", ".join(f"{field}={_value(field, value)}" for field, value in fields.items())


def _value(field: str, value: object) -> str:
    if isinstance(value, list | tuple):
        empty = "all" if field == "models" else "none"
        return "+".join(str(one["budget"]) if isinstance(one, dict) else str(one) for one in value) or empty
    if field == "expires":
        return moment(value) if isinstance(value, float) else "never"
    return "default" if value is None else str(value)


def _budgets(text: str) -> tuple[Budget, ...]:
    try:
        return read_budgets(text)
    except BudgetError as error:
        raise BadRequest(str(error)) from None


async def _done(change: Awaitable[_T]) -> _T:
    try:
        return await change
    except LookupError as error:
        raise ControlRefusal(404, "not_found", str(error.args[0])) from None
    except ValueError as error:
        raise ControlRefusal(409, "conflict", str(error)) from None


def _clients(controls: Controls) -> Clients:
    if controls.gateway.clients is None:
        raise ControlRefusal(
            501, "not_available", "cannot manage client keys: this daemon stores none; set API_KEYS instead"
        )
    return controls.gateway.clients


def _read(fields: dict[str, Any], kind: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"cannot {what} the client: {error}") from None


async def _check(controls: Controls, wanted: NewClient | Changes, what: str) -> None:
    limits = (wanted.requests_per_minute, wanted.tokens_per_minute, wanted.concurrent_requests)
    if any(isinstance(limit, int) and not 0 <= limit <= MAX_PER_MINUTE for limit in limits):
        raise BadRequest(
            f"cannot {what} the client: a limit must be a whole number from 0 (no limit) to {MAX_PER_MINUTE}"
        )
    if isinstance(wanted.expires, float) and not wanted.expires > time.time():
        raise BadRequest(f"cannot {what} the client: the expiry time is in the past")
    if isinstance(wanted.expires, float) and wanted.expires > MAX_TIME:
        raise BadRequest(f"cannot {what} the client: the expiry time must be in seconds since 1970, before year 10000")
    for name in wanted.server_tools or ():
        if name not in PRICED:
            raise BadRequest(f"cannot {what} the client: the server tools are {', '.join(PRICED)}, not {name[:40]!r}")
    if wanted.models:
        known = [str(model["id"]) for model in await controls.gateway.models()]
        for name in wanted.models:
            if name not in known:
                near = nearest(name, known)
                hint = f"did you mean {near!r}? " if near else ""
                raise BadRequest(
                    f"cannot {what} the client: there is no model {name!r}; {hint}`claudegwctl models` lists them"
                )
