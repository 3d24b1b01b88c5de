"""All routes of the control API, as a readable table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from claudegwd.control import (
    approvals,
    audit,
    clients,
    config,
    drain,
    env,
    keys,
    logs,
    machines,
    models,
    notify,
    reload,
    requests,
    rotate,
    status,
    usage,
    workers,
    workspaces,
)
from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse, Handler


@dataclass(frozen=True)
class ControlRoute:
    """`says` completes "this …" in a list of routes."""

    method: str
    path: str
    handler: Handler
    says: str


async def index(_controls: Controls, _request: ControlRequest) -> ControlResponse:
    """GET /v1: for people who explore with curl."""
    return ControlResponse(
        {"routes": [{"method": each.method, "path": each.path, "says": each.says} for each in ROUTES]}
    )


ROUTES: Final = (
    ControlRoute("GET", "/v1", index, "lists the routes"),
    ControlRoute("GET", "/v1/status", status.show, "shows the daemon's status"),
    ControlRoute(
        "POST", "/v1/rotate", rotate.rotate, 'makes another key the active one: {"to": NAME|null, "all": true|false}'
    ),
    ControlRoute("POST", "/v1/reload", reload.reload, "reloads configuration and keys"),
    ControlRoute(
        "POST",
        "/v1/drain",
        drain.drain,
        "tells load balancers to send no new requests; any that arrive are still served",
    ),
    ControlRoute("POST", "/v1/undrain", drain.undrain, "tells load balancers that they may send requests again"),
    ControlRoute(
        "GET",
        "/v1/logs",
        logs.read,
        "shows the log: ?lines=N&follow=0|1&level=L&since=TIME&request=ID&key=NAME&client=NAME",
    ),
    ControlRoute("GET", "/v1/keys", keys.rows, "lists the upstream keys"),
    ControlRoute("POST", "/v1/keys", keys.add, "adds an upstream key"),
    ControlRoute("POST", "/v1/keys/import", keys.bring_in, "adds several keys, except those whose names already exist"),
    ControlRoute("GET", "/v1/keys/<name>", keys.one, "shows an upstream key"),
    ControlRoute(
        "PATCH",
        "/v1/keys/<name>",
        keys.change,
        'enables or disables a key: {"status": "active"|"disabled", "all": true|false}, or renames it: {"name": NAME}',
    ),
    ControlRoute("DELETE", "/v1/keys/<name>", keys.remove, "removes an upstream key"),
    ControlRoute("POST", "/v1/keys/<name>/test", keys.test, "asks one cheap question with a key"),
    ControlRoute("GET", "/v1/clients", clients.rows, "lists the clients"),
    ControlRoute("POST", "/v1/clients", clients.create, "creates a client and returns its key, once"),
    ControlRoute(
        "DELETE", "/v1/clients/<name>", clients.revoke, "revokes a client; with `forget=1` its record is deleted too"
    ),
    ControlRoute("PATCH", "/v1/clients/<name>", clients.change, "changes a client's models, limits or expiry"),
    ControlRoute("POST", "/v1/clients/<name>/rotate", clients.rotate, "gives a client a new key and returns it, once"),
    ControlRoute("GET", "/v1/requests", requests.rows, "lists the model requests under way, oldest first"),
    ControlRoute("GET", "/v1/machines", machines.rows, "lists the machines that share a store with this one"),
    ControlRoute("GET", "/v1/workers", workers.rows, "lists the CLI processes"),
    ControlRoute("GET", "/v1/workspaces", workspaces.rows, "lists the workspaces, and what is wrong with them"),
    ControlRoute("GET", "/v1/approvals", approvals.rows, "lists what Claude asks to do in workspaces"),
    ControlRoute("POST", "/v1/approvals/<id>/approve", approvals.approve, 'approves it: {"always": true|false}'),
    ControlRoute("POST", "/v1/approvals/<id>/deny", approvals.deny, 'denies it: {"why": TEXT}'),
    ControlRoute("GET", "/v1/audit", audit.rows, "shows who changed what over this socket: ?lines=N"),
    ControlRoute("POST", "/v1/notify/test", notify.test, "sends a test notification and reports the result"),
    ControlRoute(
        "GET",
        "/v1/usage",
        usage.show,
        "shows who used what: ?since=7d&by=client,key,model,answered,route,how,day,hour&client=NAME&all=0|1",
    ),
    ControlRoute("GET", "/v1/models", models.rows, "lists the models"),
    ControlRoute("GET", "/v1/config", config.show, "shows the configuration in effect"),
    ControlRoute("POST", "/v1/config/check", config.check, "says what a reload would change"),
    ControlRoute("GET", "/v1/env", env.lines, "gives a shell the current key: ?shell=bash|zsh|fish"),
)
