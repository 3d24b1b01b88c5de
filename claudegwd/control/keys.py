"""/v1/keys: the upstream keys. Tokens come in and never go out.

Every change is written to keys.json first, and the file's new content takes effect at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from shlex import quote
from typing import Any, Final

from claudegwd.control.controllable import Controls
from claudegwd.control.everywhere import order
from claudegwd.control.problems import BadRequest, ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.keys.file import add_key, import_keys, read_entries, remove_key, rename_key, set_key_status
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.redact import know_tokens

# In the audit, if somebody else removed it before this change was answered.
_REMOVED: Final = "removed meanwhile"


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    """GET /v1/keys"""
    source = controls.gateway.keys_source
    return ControlResponse(
        {"keys": controls.gateway.ring.snapshot(time.time()), "origin": source.origin, "writable": source.writable}
    )


async def one(controls: Controls, request: ControlRequest) -> ControlResponse:
    """GET /v1/keys/{name}"""
    return ControlResponse(_row(controls, request.path["name"]))


async def add(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/keys {"name", "token", "base_url"?, "kind"?, "status"?, "replace"?}"""
    fields = request.only("name", "token", "base_url", "kind", "status", "replace")
    replace = fields.pop("replace", False)
    if not isinstance(replace, bool):
        raise BadRequest("cannot add the key: replace must be true or false")
    (key,), notes = _parsed([fields], "this key")
    before = _find(controls, key.name)
    await controls.reloader.edit_keys(partial(add_key, key=key, replace=replace))
    row = _find(controls, key.name)
    after = _said(row) if row else _REMOVED
    if before is None:
        request.changed("key added", key=key.name, after=after)
    else:
        request.changed("key replaced", key=key.name, before=_said(before), after=after)
    return ControlResponse({**(row or _row(controls, key.name)), "notes": list(notes)}, status=201)


async def bring_in(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/keys/import {"keys": [...]}: those whose name does not exist yet."""
    entries = request.only("keys").get("keys")
    if not isinstance(entries, list):
        raise BadRequest('cannot import: send {"keys": [{"name": …, "token": …}]}')
    keys, notes = _parsed(entries, "these keys")
    added = (await controls.reloader.edit_keys(partial(import_keys, keys=keys))).added
    request.changed("keys imported", count=len(added), after=", ".join(added) or "nothing new")
    skipped = [key.name for key in keys if key.name not in added]
    return ControlResponse({"added": list(added), "skipped": skipped, "notes": list(notes)})


async def remove(controls: Controls, request: ControlRequest) -> ControlResponse:
    """DELETE /v1/keys/{name}"""
    name = request.path["name"]
    before = _row(controls, name)
    await controls.reloader.edit_keys(partial(remove_key, name=name))
    request.changed("key removed", key=name, before=_said(before))
    return ControlResponse({"removed": name})


async def change(controls: Controls, request: ControlRequest) -> ControlResponse:
    """PATCH /v1/keys/{name} {"status": "active"|"disabled", "all"?: true}, or {"name": another}"""
    name = request.path["name"]
    before = _row(controls, name)
    fields = request.only("status", "name", "all")
    if "name" in fields:
        return await _rename(controls, request, name, fields)
    wanted = fields.get("status")
    status = next((each for each in KeyStatus if each.value == wanted), None)
    if status is None:
        raise BadRequest("cannot change the key: status must be active or disabled")
    everywhere = fields.get("all", False)
    if not isinstance(everywhere, bool):
        raise BadRequest("cannot change the key: all must be true or false")
    if everywhere:
        await order(controls, lambda orders: orders.disable(name, disabled=status is KeyStatus.DISABLED))
    elif before["withheld"] and status is KeyStatus.ACTIVE:
        raise ControlRefusal(
            409,
            "withheld",
            f"cannot enable key {name!r} on this machine only: it is disabled on all machines; "
            f"use `claudegwctl keys enable {quote(name)} --all`",
        )
    else:
        await controls.reloader.edit_keys(partial(set_key_status, name=name, status=status))
    row = _find(controls, name)
    text = "key status changed on all machines" if everywhere else "key status changed"
    request.changed(text, key=name, before=before["state"], after=row["state"] if row else _REMOVED)
    return ControlResponse(row or _row(controls, name))


async def _rename(controls: Controls, request: ControlRequest, name: str, fields: Mapping[str, Any]) -> ControlResponse:
    to = fields["name"]
    if len(fields) > 1 or not isinstance(to, str) or not to:
        raise BadRequest('cannot rename the key: send {"name": …} and nothing else')
    await controls.reloader.edit_keys(partial(rename_key, name=name, to=to))
    if to != name:
        request.changed("key renamed", key=to, before=name, after=to)
    return ControlResponse(_row(controls, to))


async def test(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/keys/{name}/test: one cheap question; an answer clears the key's marks."""
    request.only()
    name = request.path["name"]
    before = _find(controls, name)
    result = await controls.reloader.test_key(name)
    request.changed("key tested", key=name, before=before["state"] if before else None, after=result["state"])
    return ControlResponse(result)


def _parsed(entries: list[Any], origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    keys, notes = read_entries(entries, origin)
    know_tokens(key.token for key in keys)
    return keys, tuple(note.removeprefix(f"{origin}: ") for note in notes)  # which name the key themselves


def _said(row: Mapping[str, Any]) -> str:
    """A key in the form for the log and the audit: never a token."""
    return f"kind={row['kind']}, base_url={row['base_url'] or 'none'}, state={row['state']}"


def _find(controls: Controls, name: str) -> dict[str, Any] | None:
    return next((row for row in controls.gateway.ring.snapshot(time.time()) if row["name"] == name), None)


def _row(controls: Controls, name: str) -> dict[str, Any]:
    if (row := _find(controls, name)) is not None:
        return row
    raise ControlRefusal(404, "not_found", f"cannot find key {name[:64]!r}; `claudegwctl keys list` shows the names")
