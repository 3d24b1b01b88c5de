"""How the gateway is: whether a request could be answered, and if not why; and all that `claudegwctl status` shows."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import trio

from claudegwd.daemon_states import DaemonState
from claudegwd.keys.failures import FailureKind

if TYPE_CHECKING:
    from claudegwd.gateway import Gateway

# Why no request can be answered until a person has helped: with keys, and without.
_DEAD: Final[Mapping[FailureKind, str]] = {
    FailureKind.AUTHENTICATION: "no upstream key can be used: see `claudegwctl keys list`",
    FailureKind.BILLING: "no upstream key can be used: the credit of the last one is spent; pay, or add a key",
    FailureKind.MODEL_FORBIDDEN: "no upstream key has access to claude.default_model; choose another, or add a key",
}
_ADD: Final = "`claudegwctl keys add NAME` adds a key, or log the CLI in"
_LOGIN_DEAD: Final[Mapping[FailureKind, str]] = {
    FailureKind.AUTHENTICATION: f"no key is configured, and the upstream refused the login: {_ADD} again",
    FailureKind.BILLING: f"no key is configured, and the credit of the login is spent: pay, or {_ADD} as somebody else",
}
_NO_LOGIN: Final = f"neither a key nor a login of the Claude Code CLI was found: {_ADD}"


def problem(gateway: "Gateway") -> str:
    """Why a request could not be answered now; "" when it could."""
    if gateway.state is not DaemonState.READY:
        return str(gateway.state.value)
    if gateway.pool.roster.starts.hopeless(trio.current_time()):
        words = gateway.pool.roster.last_words
        return "the Claude Code CLI does not start" + (f": {words}" if words else "")
    default = gateway.offered.default()
    dead = gateway.ring.dead(time.time(), default.cli_name if default else None)
    if len(gateway.ring):
        return _DEAD.get(dead, "") if dead else ""
    if dead:
        return _LOGIN_DEAD.get(dead, "")
    return "" if gateway.launcher.login.found else _NO_LOGIN


def outward_state(gateway: "Gateway") -> str:
    """The state, or, while that is "ready", "degraded" if no request could be answered and "draining" if drained."""
    if gateway.state is not DaemonState.READY:
        return str(gateway.state.value)
    return "degraded" if problem(gateway) else "ready" if gateway.drained_since is None else "draining"


def unready(gateway: "Gateway") -> str:
    """Why no new request should be sent here, for /readyz; "" when one may. Drained, those that come are served."""
    return problem(gateway) or ("draining by the operator" if gateway.drained_since is not None else "")


def active_sessions(gateway: "Gateway") -> int:
    """Conversations that are kept in a worker or under way."""
    counts = gateway.pool.counts()
    return counts["busy"] + counts["idle"] + counts["parked"]


def status(gateway: "Gateway") -> dict[str, Any]:
    """What `claudegwctl status` shows. No token, no content."""
    now = time.time()
    return {
        "version": gateway.version,
        "claude_version": gateway.launcher.cli.version,
        "claude_binary": str(gateway.launcher.cli.binary),
        "pid": os.getpid(),
        "uptime_seconds": round(now - gateway.started_at, 1),
        "state": outward_state(gateway),
        "problem": problem(gateway) or gateway.database.problem,
        "drained_since": gateway.drained_since,
        "binds": gateway.binds,
        "keys": gateway.ring.snapshot(now),
        "keys_origin": gateway.keys_source.origin,
        "login": None if len(gateway.ring) else gateway.launcher.login.name,
        "login_failure": gateway.ring.login_failure(now),
        "usage": gateway.ledger.today(),
        "windows": gateway.ring.windows.rows(now),
        "state_file": str(gateway.database.path) if gateway.database.path else None,
        "state_problem": gateway.database.problem or None,
        "content_logged": gateway.config.log.content,
        "shared": gateway.sharing.status() if gateway.sharing is not None else None,
        "workspaces": sorted(gateway.config.workspaces),
        "sandbox_missing": gateway.workspaces.unconfined(gateway.config.workspaces),
        "workers": gateway.pool.counts(),
        "workers_had": dict(gateway.pool.had),
        "requests": {
            "active": gateway.counts.active,
            "queued": gateway.pool.queued,
            "total": gateway.counts.total,
            "failed": sum(gateway.counts.failed.values()),
            "failed_by_code": dict(gateway.counts.failed),
        },
    }


def described(gateway: "Gateway") -> dict[str, Any]:
    """What the other machines are shown of this one: counts, states and versions."""
    keys = gateway.ring.snapshot(time.time())
    counts = gateway.counts
    return {
        "state": outward_state(gateway),
        "version": gateway.version,
        "claude_version": gateway.launcher.cli.version,
        "binds": gateway.binds,
        "requests": {"active": counts.active, "queued": gateway.pool.queued, "total": counts.total},
        "workers": gateway.pool.counts(),
        "keys_usable": sum(row["state"] in ("active", "ready") for row in keys),
        "keys": len(keys),
    }
