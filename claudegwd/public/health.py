"""/, /health, /livez and /readyz: open to all, and so with nothing secret in them."""

from quart import Response, g, jsonify

from claudegwd.gateway import Gateway

# Who looks whether we live does not stand in line with work.
URGENT = ("/livez", "/readyz", "/health")


async def index() -> Response:
    """What this is, for somebody who opens the port in a browser."""
    gateway: Gateway = g.gateway
    return jsonify(
        {
            "name": "claudegwd",
            "version": gateway.version,
            "description": "OpenAI API on the Claude Code CLI",
            "endpoints": {"chat": "/v1/chat/completions", "models": "/v1/models", "health": "/health"},
            "docs": "/openapi.json",
            "health": "/health",
        }
    )


async def health() -> tuple[Response, int]:
    """The older gateway's health: 503 with an error while no request could be answered.

    What only a person can mend is "degraded": the process itself is well, and starting it anew would not help.
    """
    gateway: Gateway = g.gateway
    problem = gateway.problem()
    state = gateway.outward_state
    body = {
        "status": "healthy" if not problem else state if state == "degraded" else "unhealthy",
        "version": gateway.version,
        "claude_version": gateway.claude_version,
        "active_sessions": gateway.active_sessions(),
    }
    return jsonify({**body, "error": problem} if problem else body), 503 if problem else 200


async def livez() -> Response:
    """The process answers."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


async def readyz() -> tuple[Response, int]:
    """Whether new requests should be sent here. Who drains a daemon still wants those answered that come."""
    gateway: Gateway = g.gateway
    problem = gateway.unready()
    text = Response("ok\n" if not problem else f"{problem}\n", content_type="text/plain; charset=utf-8")
    return text, 503 if problem else 200
