"""What the older gateway's clients add to a chat: a session, a project, and a way to validate a request."""

from functools import partial
from uuid import uuid4

import msgspec
from quart import Response, jsonify

from claudegwd.gateway.planning import plan_chat
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.chat.request import ChatRequest, parse_chat_request
from claudegwd.openai_api.errors import CallerError, InvalidRequest
from claudegwd.openai_api.older_gateway.resources import checked_id
from claudegwd.openai_api.usage import Usage
from claudegwd.public.bodies import read_body
from claudegwd.public.call import Call, during
from claudegwd.public.images import with_fetched_images
from claudegwd.public.reply import Reply
from claudegwd.public.reserving import check_number
from claudegwd.store.chat_sessions import Known
from claudegwd.store.projects import get_project


async def in_session(call: Call, wanted: ChatRequest) -> ChatRequest:
    """The request with what its session adds: project, and system prompt if it has none.

    A request with a project but no session is from a client of the older gateway: it gets the id of a new session. One
    with neither is unchanged. An unknown session begins here.
    """
    session_id = checked_id("session_id", wanted.session_id)
    project_id = checked_id("project_id", wanted.project_id)
    gateway = call.gateway
    if session_id is None:
        fresh = str(uuid4()) if project_id else None
        if fresh is not None:
            # Its next turn may arrive before the session is written in the background.
            gateway.sessions.remember(call.client.owner, fresh, Known(project_id))
        return await _in_workspace(call, msgspec.structs.replace(wanted, session_id=fresh, project_id=project_id))
    known = await gateway.sessions.known(call.client.owner, session_id)
    own_prompt = wanted.system_prompt or any(message.role in ("system", "developer") for message in wanted.messages)
    return await _in_workspace(
        call,
        msgspec.structs.replace(
            wanted,
            session_id=session_id,
            project_id=project_id or known.project_id,
            system_prompt=wanted.system_prompt if own_prompt else known.system_prompt,
        ),
    )


async def _in_workspace(call: Call, wanted: ChatRequest) -> ChatRequest:
    """The request in the workspace that its project's path names, if its client has access to that. A path never
    creates one: any other path is just text."""
    gateway = call.gateway
    if wanted.project_id is None or not gateway.config.workspaces:
        return wanted
    project = await gateway.sessions.read(get_project, call.client.owner, wanted.project_id)
    if project is None or not project.path:
        return wanted
    model = gateway.offered.in_directory(wanted.model, project.path, call.client)
    return msgspec.structs.replace(wanted, model=model)


def follow(call: Call, reply: Reply, wanted: ChatRequest) -> None:
    """Keep the statistics of the request's session, if it has one, without delaying the request."""
    session_id = wanted.session_id
    if session_id is None:
        return
    gateway = call.gateway
    owner = call.client.owner
    use = partial(
        gateway.sessions.use,
        owner,
        session_id,
        project_id=wanted.project_id,
        model=reply.questions[0].plan.model.id,
    )
    stopped = InvalidRequest("cannot continue: this session was stopped by another request", code="session_stopped")
    during(gateway.sessions.under_way(owner, session_id, partial(reply.stop, stopped)))
    use()  # the question

    def answered(usage: Usage) -> None:
        use(tokens=usage.prompt_tokens + usage.completion_tokens)

    reply.on_settled = answered
    reply.on_spent = partial(gateway.sessions.spent, owner, session_id)


async def chat_debug(call: Call) -> Response:
    """Say whether a chat request would be accepted, or what is wrong with it. Nothing is asked or logged."""
    gateway = call.gateway
    try:
        wanted = parse_chat_request(await read_body(call), BOUNDS)
        asked = await with_fetched_images(gateway, await in_session(call, wanted))
        plan_chat(gateway, asked, call.client)
        check_number(call, asked.n, "chat")
    except CallerError as error:
        fault = {"message": error.message, "param": error.param, "code": error.code}
        return jsonify({"status": "validation_error", "errors": [fault]})
    parsed = {"model": wanted.model, "messages_count": len(wanted.messages), "stream": wanted.stream}
    return jsonify({"status": "success", "parsed_data": parsed})
