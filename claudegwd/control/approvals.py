"""/v1/approvals: questions to a person about what Claude may do in a workspace, and the answers."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import BadRequest
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.redact import redact
from claudegwd.workspaces.actions import one_line
from claudegwd.workspaces.approvals import Approval

# Of what was decided: the audit log is for looking up who it was. It keeps 10,000 changes.
AUDIT_CHARACTERS = 2000


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    """GET /v1/approvals: the pending ones, oldest first."""
    return ControlResponse({"approvals": controls.gateway.workspaces.approvals.rows()})


async def approve(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/approvals/{id}/approve {"always": true|false}: allow it."""
    always = request.only("always").get("always", False)
    if not isinstance(always, bool):
        raise BadRequest("cannot use always: send true or false")
    approval = controls.gateway.workspaces.approvals.approve(request.path["id"], always=always)
    request.changed(
        "approved in a workspace", aside=_action(approval), workspace=approval.workspace, client=approval.client,
        always=always,
    )  # fmt: skip
    return ControlResponse({"id": approval.id, "approved": True, "always": always})


async def deny(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/approvals/{id}/deny {"why": TEXT}: deny it; the model is told why. The denial itself is audited."""
    why = request.only("why").get("why", "")
    if not isinstance(why, str):
        raise BadRequest("cannot use why: send a string")
    approval = controls.gateway.workspaces.approvals.deny(request.path["id"], why)
    request.changed(
        "denied in a workspace", aside=_action(approval), workspace=approval.workspace, client=approval.client,
    )  # fmt: skip
    return ControlResponse({"id": approval.id, "approved": False})


def _action(approval: Approval) -> dict[str, str]:
    return {"action": one_line(redact(approval.shown), AUDIT_CHARACTERS)}
