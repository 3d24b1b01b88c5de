"""What the page can request, and how the daemon is asked for it. A short list: the page can reach nothing else.

A read-only dashboard refuses the requests that change something.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from claudegwctl.client import LOOK_SECONDS, SLOW_SECONDS, Daemon, quoted
from claudegwctl.dashboard.exchange import DashboardRequest, Response, json_response, refusal
from claudegwctl.problems import NotRunning, Problem, Refused

# How far back a chart goes, and what one of its bars covers.
PERIODS: Final = {"day": ("24h", "hour"), "week": ("7d", "day"), "month": ("30d", "day")}
GROUPS: Final = ("client", "key", "model")
# The log's filters that the daemon applies; it checks their values.
LOG_FILTERS: Final = ("lines", "level", "since", "request", "key", "client")


class Answers:
    """Asks the daemon with the rights of this process. Thread-safe: each request has its own connection."""

    def __init__(self, daemon: Daemon, *, read_only: bool) -> None:
        self._daemon = daemon
        self._read_only = read_only
        self._shown: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
            "state": self._state, "usage": self._usage, "logs": self._logs,
        }  # fmt: skip
        self._changes: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "rotate": self._rotate, "key": self._key, "reload": self._reload, "approval": self._approval,
        }  # fmt: skip

    def answer(self, name: str, request: DashboardRequest) -> Response:
        """The answer to `GET` or `POST api/NAME`."""
        known = self._shown if request.method == "GET" else self._changes
        if name not in known:
            return refusal(404, "cannot find this: reload the page")
        try:
            if request.method == "GET":
                return json_response(self._shown[name](request.query))
            if self._read_only:
                return refusal(403, "cannot change anything: this dashboard was started with --read-only")
            return json_response(self._changes[name](_object(request.body)))
        except NotRunning as problem:
            return refusal(503, str(problem))
        except Refused as refused:
            return refusal(409, str(refused))
        except Problem as problem:
            return refusal(502, str(problem))
        except _BadRequest as bad:
            return refusal(400, str(bad))

    def _state(self, _: Mapping[str, str]) -> dict[str, Any]:
        """Everything that changes every second, in one answer. A stopped daemon is reported in it, not as an error."""

        def ask(path: str) -> dict[str, Any]:
            return self._daemon.ask("GET", path, seconds=LOOK_SECONDS)

        try:
            return {
                "read_only": self._read_only,
                "running": True,
                "status": ask("/v1/status"),
                "requests": ask("/v1/requests")["requests"],
                "workers": ask("/v1/workers")["workers"],
                "clients": ask("/v1/clients")["clients"],
                "approvals": ask("/v1/approvals")["approvals"],
            }
        except Problem as problem:
            return {"read_only": self._read_only, "running": False, "problem": str(problem)}

    def _usage(self, query: Mapping[str, str]) -> dict[str, Any]:
        period, group = query.get("period", "week"), query.get("by", "client")
        if period not in PERIODS or group not in GROUPS:
            raise _BadRequest(
                f"cannot show usage: period must be one of {', '.join(PERIODS)}, by one of {', '.join(GROUPS)}"
            )
        since, unit = PERIODS[period]
        return {**self._daemon.get("/v1/usage", {"since": since, "by": f"{unit},{group}"}), "unit": unit}

    def _logs(self, query: Mapping[str, str]) -> dict[str, Any]:
        wanted = {name: query[name] for name in LOG_FILTERS if query.get(name)}
        return {"lines": list(self._daemon.lines("/v1/logs", {**wanted, "follow": 0}, follow=False))}

    def _rotate(self, body: Mapping[str, Any]) -> Any:
        return self._daemon.ask("POST", "/v1/rotate", {"to": body.get("to")})

    def _key(self, body: Mapping[str, Any]) -> Any:
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise _BadRequest('cannot change the key: send {"name": …, "status": "active"|"disabled"}')
        return self._daemon.ask("PATCH", f"/v1/keys/{quoted(name)}", {"status": body.get("status")})

    def _approval(self, body: Mapping[str, Any]) -> Any:
        ident, approved = body.get("id"), body.get("approved")
        if not isinstance(ident, str) or not ident or not isinstance(approved, bool):
            raise _BadRequest('cannot decide the approval: send {"id": …, "approved": true|false}')
        return self._daemon.ask("POST", f"/v1/approvals/{quoted(ident)}/{'approve' if approved else 'deny'}", {})

    def _reload(self, _: Mapping[str, Any]) -> Any:
        return self._daemon.ask("POST", "/v1/reload", seconds=SLOW_SECONDS)  # it may have to start another CLI first


class _BadRequest(Exception):  # noqa: N818 - it names what happened
    pass


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _BadRequest("cannot read the body: send a JSON object")
    return found
