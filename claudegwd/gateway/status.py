"""The gateway's status: whether requests can be answered, why not, and everything that `claudegwctl status` shows."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import trio

from claudegwd.gateway.daemon_states import DaemonState
from claudegwd.keys.addresses import Outage
from claudegwd.keys.answers import Dead, WaitForKey
from claudegwd.keys.failures import FailureKind

if TYPE_CHECKING:
    from claudegwd.gateway.gateway import Gateway

# Why no request can be answered until a person helps: with keys, and without.
_DEAD: Final[Mapping[FailureKind, str]] = {
    FailureKind.AUTHENTICATION: "no upstream key is usable: see `claudegwctl keys list`",
    FailureKind.BILLING: "no upstream key is usable: the last one is out of credit; add credit or a key",
    FailureKind.MODEL_FORBIDDEN: "no upstream key has access to claude.default_model; choose another, or add a key",
}
_ADD: Final = "`claudegwctl keys add NAME` adds a key, `claudegwctl login` logs in"
_LOGIN_DEAD: Final[Mapping[FailureKind, str]] = {
    FailureKind.AUTHENTICATION: f"no key is configured, and the upstream rejected the login: {_ADD} again",
    FailureKind.BILLING: f"no key is configured, and the login is out of credit: add credit, or {_ADD} as another user",
}
_AT: Final = "{:%Y-%m-%d %H:%M:%S} UTC"
_LIMITED: Final = f"no upstream key is usable now: the first that is rate limited is back at {_AT}"
_LOGIN_LIMITED: Final = f"no key is configured, and the login is rate limited until {_AT}"
_NOBODY_MAY_ASK: Final = (
    "nobody may use it: a client key is required, and there is none; create one with `claudegwctl clients create NAME`"
)
_NO_LOGIN: Final = f"neither a key nor a login of the Claude Code CLI was found: {_ADD}"


@dataclass(frozen=True, slots=True)
class Condition:
    """The gateway's current condition, as shown everywhere."""

    state: str  # as shown: a daemon state, or "degraded"; "draining" also while drained
    problem: str  # why a request could not be answered now; "" if it could
    refuses: bool  # it would be refused, rather than wait
    drained: bool
    detail: str = ""  # what the CLI said on its stderr: for the operator only, since it may name paths

    @property
    def unready(self) -> str:
        """Why no new request should be sent here; "" if one may. While drained, requests are served all the same."""
        return self.problem if self.refuses else "drained by the operator" if self.drained else ""


def condition(gateway: "Gateway") -> Condition:
    """Check everything that a request needs."""
    drained = gateway.life.drained_since is not None
    if gateway.life.state is not DaemonState.READY:
        state = str(gateway.life.state.value)
        return Condition(state, state, refuses=True, drained=drained)
    now = time.time()
    if gateway.pool.roster.starts.hopeless(trio.current_time()):
        fault, words = "the Claude Code CLI does not start", gateway.pool.roster.last_words
        return Condition("degraded", fault, refuses=True, drained=drained, detail=words)
    default = gateway.offered.default()
    lack = gateway.ring.lack(now, default.cli_name if default else None)
    if fault := _fault_of(gateway, lack):
        # As questions do: they wait for a key that is back this soon.
        waits = isinstance(lack, WaitForKey) and lack.until <= now + gateway.config.keys.hold_seconds
        return Condition("degraded", fault, refuses=not waits, drained=drained)
    if outage := gateway.ring.outage(now):
        # Requests are still accepted: the next one may be answered, and its error says more than a load balancer's.
        return Condition("degraded", _unanswered(outage), refuses=False, drained=drained)
    return Condition("draining" if drained else "ready", "", refuses=False, drained=drained)


def _unanswered(outage: Outage) -> str:
    since = datetime.fromtimestamp(outage.since, UTC)
    return f"the upstream has not answered since {_AT.format(since)}: see `claudegwctl logs --level warning`"


def _fault_of(gateway: "Gateway", lack: WaitForKey | Dead | None) -> str:
    keys = len(gateway.ring) > 0
    if isinstance(lack, WaitForKey):
        return (_LIMITED if keys else _LOGIN_LIMITED).format(datetime.fromtimestamp(lack.until, UTC))
    if isinstance(lack, Dead):
        return (_DEAD if keys else _LOGIN_DEAD).get(lack.kind, "")
    return _NO_LOGIN if gateway.lacks_credentials() else ""


def active_sessions(gateway: "Gateway") -> int:
    """Conversations that are running or held by a worker."""
    counts = gateway.pool.roster.counts()
    return counts["busy"] + counts["idle"] + counts["parked"]


def shuts_out(gateway: "Gateway") -> str:
    """Why nobody at all may ask; "" if somebody may."""
    now = time.time()
    if not gateway.needs_key() or any(client.state(now) == "active" for client, _ in gateway.clients.book.rows()):
        return ""
    return _NOBODY_MAY_ASK


def status(gateway: "Gateway") -> dict[str, Any]:
    """What `claudegwctl status` shows. No token, no content."""
    now, present = time.time(), condition(gateway)
    problem = f"{present.problem}: {present.detail}" if present.detail else present.problem
    return {
        "version": gateway.life.version,
        "claude_version": gateway.launcher.cli.version,
        "claude_binary": str(gateway.launcher.cli.binary),
        "pid": os.getpid(),
        "uptime_seconds": round(now - gateway.life.started_at, 1),
        "state": present.state,
        "problem": problem or gateway.database.problem,
        "drained_since": gateway.life.drained_since,
        "binds": gateway.life.binds,
        "shuts_out": shuts_out(gateway) or None,
        "keys": gateway.ring.snapshot(now),
        "keys_origin": gateway.keys_source.origin,
        "login": None if len(gateway.ring) else gateway.launcher.login.name,
        "login_failure": gateway.ring.login_failure(now),
        "usage": gateway.ledger.today(),
        "usage_lost": gateway.ledger.lost,
        "windows": gateway.ring.windows.rows(now),
        "state_file": str(gateway.database.path) if gateway.database.path else None,
        "state_problem": gateway.database.problem or None,
        "content_logged": gateway.config.log.content,
        "shared": gateway.sharing.status() if gateway.sharing is not None else None,
        "workspaces": sorted(gateway.config.workspaces),
        "conversations": gateway.workspaces.kept.total(),
        "sandbox_missing": gateway.workspaces.unconfined(gateway.config.workspaces),
        "workers": gateway.pool.roster.counts(),
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
    """What the other machines are shown about this one: counts, states and versions."""
    keys = gateway.ring.snapshot(time.time())
    counts = gateway.counts
    return {
        "state": condition(gateway).state,
        "version": gateway.life.version,
        "claude_version": gateway.launcher.cli.version,
        "binds": gateway.life.binds,
        "requests": {"active": counts.active, "queued": gateway.pool.queued, "total": counts.total},
        "workers": gateway.pool.roster.counts(),
        "keys_usable": sum(row["state"] in ("active", "ready") for row in keys),
        "keys": len(keys),
    }
