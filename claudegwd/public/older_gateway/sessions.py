"""/v1/sessions and what the older gateway had under /v1/chat/completions/{session_id}."""

import time
from typing import Any
from uuid import uuid4

from quart import Response, g, jsonify, request

from claudegwd.gateway.gateway import Gateway
from claudegwd.openai_api.errors import NotFound
from claudegwd.openai_api.older_gateway.resources import moment, page_body, parse_page, parse_session
from claudegwd.public.bodies import read_body
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


async def sessions_list() -> Response:
    """A page of the client's sessions (`project_id`: of one project), the newest first."""
    gateway: Gateway = g.gateway
    page = parse_page(request.args)
    rows, total = await gateway.sessions.read(
        list_sessions, g.client.owner, limit=page.size, offset=page.offset, project_id=request.args.get("project_id")
    )
    return jsonify(page_body([_shown(session) for session in rows], page, total))


async def sessions_create() -> Response:
    """Make a session. Chats that name it, and bring no system prompt of their own, are asked with its own."""
    gateway: Gateway = g.gateway
    wanted = parse_session(await read_body(), gateway.bounds)
    model = gateway.offered.find(wanted.model or gateway.config.claude.default_model, g.client).id
    now = time.time()
    session = Session(str(uuid4()), wanted.project_id, wanted.title, model, wanted.system_prompt, now, now)
    await gateway.sessions.read(create_session, g.client.owner, session)
    gateway.sessions.remember(g.client.owner, session.id, Known(session.project_id, session.system_prompt))
    return jsonify(_shown(session))


async def sessions_statistics() -> Response:
    """Sums over the client's sessions, and which of them are being answered now."""
    gateway: Gateway = g.gateway
    stats = await gateway.sessions.read(session_stats, g.client.owner)
    running = gateway.sessions.running(g.client.owner)
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


async def sessions_show(ident: str) -> Response:
    """One of the client's sessions."""
    return jsonify(_shown(await _session(ident)))


async def sessions_delete(ident: str) -> Response:
    """Delete a session and what is kept of it; an answer under way is stopped."""
    gateway: Gateway = g.gateway
    gateway.sessions.stop(g.client.owner, ident)
    gateway.sessions.remember(g.client.owner, ident, None)
    if not await gateway.sessions.read(delete_session, g.client.owner, ident):
        raise _not_found()
    return jsonify({"session_id": ident, "status": "deleted"})


async def session_status(ident: str) -> Response:
    """How a session stands: is it being answered, and what has it used."""
    gateway: Gateway = g.gateway
    session = await _session(ident)
    shown = _shown(session)
    names = ("project_id", "model", "created_at", "updated_at", "total_tokens", "total_cost", "message_count")
    running = gateway.sessions.is_running(g.client.owner, ident)
    return jsonify({"session_id": ident, "is_running": running, **{name: shown[name] for name in names}})


async def session_stop(ident: str) -> Response:
    """Stop the answer that is under way in a session; it is fine if none is."""
    gateway: Gateway = g.gateway
    gateway.sessions.stop(g.client.owner, ident)
    if not await gateway.sessions.read(end_session, g.client.owner, ident, time.time()):
        raise _not_found()
    return jsonify({"session_id": ident, "status": "stopped"})


async def _session(ident: str) -> Session:
    gateway: Gateway = g.gateway
    session = await gateway.sessions.read(get_session, g.client.owner, ident)
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
    return NotFound("cannot find this session: GET /v1/sessions lists those of this key", code="session_not_found")
