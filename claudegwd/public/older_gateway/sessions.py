"""/v1/sessions, and what the older gateway had under /v1/chat/completions/{session_id}."""

import time
from typing import Any
from uuid import uuid4

from quart import Response, jsonify, request

from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.errors import NotFound
from claudegwd.openai_api.older_gateway.resources import moment, page_body, parse_page, parse_session
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call
from claudegwd.store.chat_sessions import Known
from claudegwd.store.sessions import (
    Session,
    create_session,
    delete_session,
    end_session,
    get_session,
    list_sessions,
    session_stats,
)


async def sessions_list(call: Call) -> Response:
    """A page of the client's sessions (`project_id`: of one project), newest first."""
    gateway = call.gateway
    page = parse_page(request.args)
    rows, total = await gateway.sessions.read(
        list_sessions, call.client.owner, limit=page.size, offset=page.offset, project_id=request.args.get("project_id")
    )
    return jsonify(page_body([_shown(session) for session in rows], page, total))


async def sessions_create(call: Call) -> Response:
    """Create a session. Chats that name it, and have no system prompt of their own, use the session's."""
    gateway = call.gateway
    wanted = parse_session(await read_body(call), BOUNDS)
    model = gateway.offered.find(wanted.model or gateway.config.claude.default_model, call.client).id
    now = time.time()
    session = Session(str(uuid4()), wanted.project_id, wanted.title, model, wanted.system_prompt, now, now)
    await gateway.sessions.read(create_session, call.client.owner, session)
    gateway.sessions.remember(call.client.owner, session.id, Known(session.project_id, session.system_prompt))
    return jsonify(_shown(session))


async def sessions_statistics(call: Call) -> Response:
    """Totals over the client's sessions, and which of them are being answered now."""
    gateway = call.gateway
    stats = await gateway.sessions.read(session_stats, call.client.owner)
    running = gateway.sessions.running(call.client.owner)
    return jsonify(
        {
            "session_stats": {
                "active_sessions": stats.active_sessions,
                "total_tokens": stats.total_tokens,
                "total_cost": stats.total_cost,
                "total_messages": stats.total_messages,
                "models_in_use": list(stats.models),
            },
            "active_claude_sessions": len(running),
            "claude_sessions": running,
        }
    )


async def sessions_show(call: Call, ident: str) -> Response:
    """One of the client's sessions."""
    return jsonify(_shown(await _session(call, ident)))


async def sessions_delete(call: Call, ident: str) -> Response:
    """Delete a session and everything kept of it; a running answer is stopped."""
    gateway = call.gateway
    gateway.sessions.stop(call.client.owner, ident)
    gateway.sessions.remember(call.client.owner, ident, None)
    if not await gateway.sessions.read(delete_session, call.client.owner, ident):
        raise _not_found()
    return jsonify({"session_id": ident, "status": "deleted"})


async def session_status(call: Call, ident: str) -> Response:
    """A session's status: whether it is being answered, and what it has used."""
    gateway = call.gateway
    session = await _session(call, ident)
    shown = _shown(session)
    names = ("project_id", "model", "created_at", "updated_at", "total_tokens", "total_cost", "message_count")
    running = gateway.sessions.is_running(call.client.owner, ident)
    return jsonify({"session_id": ident, "is_running": running, **{name: shown[name] for name in names}})


async def session_stop(call: Call, ident: str) -> Response:
    """Stop a session's running answer, if there is one."""
    gateway = call.gateway
    gateway.sessions.stop(call.client.owner, ident)
    if not await gateway.sessions.read(end_session, call.client.owner, ident, time.time()):
        raise _not_found()
    return jsonify({"session_id": ident, "status": "stopped"})


async def _session(call: Call, ident: str) -> Session:
    gateway = call.gateway
    session = await gateway.sessions.read(get_session, call.client.owner, ident)
    if session is None:
        raise _not_found()
    return session


def _shown(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "project_id": session.project_id,
        "title": session.title,
        "model": session.model,
        "system_prompt": session.system_prompt,
        "created_at": moment(session.created_at),
        "updated_at": moment(session.updated_at),
        "is_active": session.is_active,
        "total_tokens": session.total_tokens,
        "total_cost": session.total_cost,
        "message_count": session.message_count,
    }


def _not_found() -> NotFound:
    return NotFound("cannot find this session: GET /v1/sessions lists this key's sessions", code="session_not_found")
