"""/v1/projects as in the older gateway: names for groups of sessions."""

import time
from typing import Any
from uuid import uuid4

from quart import Response, jsonify, request

from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.errors import NotFound, TooMany
from claudegwd.openai_api.older_gateway.resources import moment, page_body, parse_page, parse_project
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.store.projects import Project, StoreFull, create_project, delete_project, get_project, list_projects


async def projects_list(call: Call) -> Response:
    """A page of the client's projects, newest first."""
    gateway = call.gateway
    page = parse_page(request.args)
    rows, total = await gateway.sessions.read(list_projects, call.client.owner, limit=page.size, offset=page.offset)
    return jsonify(page_body([_shown(project) for project in rows], page, total))


async def projects_create(call: Call) -> Response:
    """Create a project, with an id of ours."""
    gateway = call.gateway
    wanted = parse_project(await read_body(call), BOUNDS)
    now = time.time()
    project = Project(str(uuid4()), wanted.name, wanted.description, wanted.path, now, now)
    try:
        await gateway.sessions.read(create_project, call.client.owner, project)
    except StoreFull as error:
        raise TooMany(str(error)) from None
    return jsonify(_shown(project))


async def projects_show(call: Call, ident: str) -> Response:
    """One of the client's projects."""
    gateway = call.gateway
    project = await gateway.sessions.read(get_project, call.client.owner, ident)
    if project is None:
        raise _not_found()
    return jsonify(_shown(project))


async def projects_delete(call: Call, ident: str) -> Response:
    """Delete a project; its sessions remain, without one."""
    gateway = call.gateway
    if not await gateway.sessions.read(delete_project, call.client.owner, ident):
        raise _not_found()
    return jsonify({"project_id": ident, "status": "deleted"})


def _shown(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "path": project.path or "",  # any text; it may be the directory of a workspace
        "created_at": moment(project.created_at),
        "updated_at": moment(project.updated_at),
        "is_active": project.is_active,
    }


def _not_found() -> NotFound:
    return NotFound("cannot find this project: GET /v1/projects lists this key's projects", code="project_not_found")
