"""/, /health, /livez and /readyz: open to everyone, so they reveal nothing secret."""

from quart import Response, jsonify

from claudegwd.gateway.status import active_sessions, condition
from claudegwd.public.call import Call

# Health checks do not wait behind other requests.
URGENT = ("/livez", "/readyz", "/health")


async def index(call: Call) -> Response:
    """What this is, for people who open the port in a browser."""
    gateway = call.gateway
    return jsonify(
        {
            "name": "claudegwd",
            "version": gateway.life.version,
            "description": "OpenAI API for the Claude Code CLI",
            "endpoints": {"chat": "/v1/chat/completions", "models": "/v1/models", "health": "/health"},
            "docs": "/openapi.json",
            "health": "/health",
        }
    )


async def health(call: Call) -> tuple[Response, int]:
    """The older gateway's health: 503 with an error while no request could be answered.

    Without a usable key or login it is "degraded": the process is healthy, and a restart would not help.
    """
    gateway = call.gateway
    now = condition(gateway)
    fault = now.problem
    body = {
        "status": "healthy" if not fault else now.state if now.state == "degraded" else "unhealthy",
        "version": gateway.life.version,
        "claude_version": gateway.launcher.cli.version,
        "active_sessions": active_sessions(gateway),
    }
    return jsonify({**body, "error": fault} if fault else body), 503 if now.refuses else 200


async def livez(_: Call) -> Response:
    """Whether the process answers."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


async def readyz(call: Call) -> tuple[Response, int]:
    """Whether new requests should be sent here. A drained daemon still answers those that arrive."""
    gateway = call.gateway
    fault = condition(gateway).unready
    text = Response("ok\n" if not fault else f"{fault}\n", content_type="text/plain; charset=utf-8")
    return text, 503 if fault else 200
