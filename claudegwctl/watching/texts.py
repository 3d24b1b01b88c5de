"""What `top` shows of one Look at the daemon, line by line. Pure: time and width are arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from claudegwctl.commands.status import lost_text, today, window_texts
from claudegwctl.output import duration
from claudegwctl.watching.columns import Column, Row

_MINUTE: Final = 60
_HOUR: Final = 3600
_LABEL: Final = 10  # the width of the labels in the head
_TITLES: Final = 3  # lines that are always there: a title above each table, and the shortcuts
_LEAST_TABLE: Final = 2  # its head and one row
_KEYS_SHARE: Final = 0.4  # of the window, at most


def client_of(row: Row) -> str:
    """The client's name, or "(no key)" for one without a key."""
    return row["client"] or "(no key)"


STATES: Final = {
    "queued": "queued", "waiting_for_key": "no key", "waiting_first_token": "waiting", "streaming": "streaming",
    "sending": "sending",
}  # fmt: skip
# For sorting by state, the worst first.
_STATE_ORDER: Final = ("waiting_for_key", "queued", "waiting_first_token", "streaming", "sending")

REQUESTS: Final = (
    Column("client", client_of, 8, 20),
    Column("model", lambda row: row["model"] or "", 16, 28),
    Column("state", lambda row: STATES.get(row["state"]) or str(row["state"]), 9),
    Column("age", lambda row: short_time(row["age_seconds"]), 7, right=True),
    Column("first", lambda row: short_time(row["first_token_seconds"]), 6, rank=1, right=True),
    Column("tok/s", lambda row: _number(row["tokens_per_second"]), 6, rank=1, right=True),
    Column("tokens", lambda row: f"{row['output_tokens']:,}" if row["output_tokens"] else "", 7, rank=4, right=True),
    Column("worker", lambda row: _number(row["worker"]), 7, rank=2, right=True),
    Column("key", lambda row: row["key"] or "", 8, 16, rank=2),
    Column("had", lambda row: row["how"] or "", 9, rank=5),
    Column("request", lambda row: row["request_id"], 12, 28, rank=6),
)

KEYS: Final = (
    Column("key", lambda row: row["name"], 10, 22),
    Column("state", lambda row: row["shown_state"], 9, 20),
    Column("requests", lambda row: _number(row.get("requests")), 8, rank=2, right=True),
    Column("limits", lambda row: row["limits"], 20, 80, rank=1),
    Column("last error", lambda row: row.get("last_error") or "", 12, 120, rank=2),
)

# What the requests can be sorted by, the largest or worst first.
SORTS: Final = ("age", "client", "model", "state", "tok/s", "key")


def short_time(seconds: float | None) -> str:
    """At most seven characters: 0.61 s, 42 s, 3:20, 1:02:03."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE)
    return f"{minutes}:{rest:02}" if whole < _HOUR else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def sort_and_filter(rows: Sequence[Row], sort: str, wanted: str, *, backwards: bool) -> list[Row]:
    """The rows whose client or model contains the text `wanted`, sorted."""
    text = wanted.casefold()
    kept = [row for row in rows if text in client_of(row).casefold() or text in str(row["model"]).casefold()]
    kept.sort(key=lambda row: -row["age_seconds"])
    match sort:
        case "state":
            kept.sort(key=lambda row: _STATE_ORDER.index(row["state"]) if row["state"] in _STATE_ORDER else -1)
        case "tok/s":
            kept.sort(key=lambda row: -(row["tokens_per_second"] or 0))
        case "client" | "model" | "key":
            kept.sort(key=lambda row: str(row[sort] or ""))
    return kept[::-1] if backwards else kept


def head(status: Mapping[str, Any], now: float) -> Iterator[tuple[str, str]]:
    """The lines above the tables: each a label and a text. The gateway's own line is not among them."""
    if (since := status.get("drained_since")) is not None:
        yield "drained", f"for {duration(now - since)}, by the operator; `claudegwctl undrain` ends it"
    if problem := status.get("problem"):
        yield "problem", str(problem)
    if shuts_out := status.get("shuts_out"):
        yield "clients", str(shuts_out)
    if status.get("content_logged"):
        yield "log", "contains questions and answers (log.content)"
    requests = status.get("requests", {})
    told = f"{requests.get('active', 0)} active, {requests.get('queued', 0)} queued"
    yield "requests", f"{told}; {requests.get('total', 0):,} since start, {requests.get('failed', 0):,} failed"
    counts = [f"{count} {state}" for state, count in status.get("workers", {}).items() if count]
    yield "workers", ", ".join(counts) or "none"
    yield "today", today(status.get("usage")) or "no usage yet"
    if lost := status.get("usage_lost"):
        yield "usage", lost_text(lost)


def gateway_line(status: Mapping[str, Any]) -> tuple[str, str, str]:
    """The version, the state and the uptime."""
    uptime = duration(status.get("uptime_seconds", 0))
    return f"claudegwd {status.get('version', '')}", str(status.get("state", "unknown")), f"up {uptime}"


def room_for_head(rows: int) -> int:
    """How many lines of the head are shown: in a low window the tables matter more."""
    return max(1, rows - _TITLES - 2 * _LEAST_TABLE)


def room_for_keys(rows: int, head: int) -> int:
    """How high the table of keys may be below a head of `head` lines: everything has to stay visible."""
    return max(_LEAST_TABLE, min(int(rows * _KEYS_SHARE), rows - head - _TITLES - _LEAST_TABLE))


def labelled(label: str, text: str) -> str:
    """One line of the head."""
    return f"{label:<{_LABEL}}{text}"


def requests_title(count: int, shown: int, sort: str, wanted: str, *, backwards: bool, paused: bool) -> str:
    """The title of the table of requests: what it contains, and in which order."""
    number = f"{count}" if shown == count else f"{shown} of {count}"
    parts = [f"requests {number}", f"by {sort}" + (", reversed" if backwards else "")]
    parts += [f"with “{wanted}”"] if wanted else []
    parts += ["PAUSED: p resumes"] if paused else []
    return "  ".join(parts)


def key_rows(status: Mapping[str, Any], now: float) -> list[Row]:
    """The rows of the table of keys: the keys, or if there are none, the login that is used."""
    limits = window_texts(status.get("windows", []), now)
    keys = status.get("keys") or []
    if not keys:
        failure = status.get("login_failure") or {}
        row = {"name": "no keys", "shown_state": f"login: {status.get('login') or 'claude'}"}
        return [{**row, "limits": "; ".join(limits.values()), "last_error": failure.get("error")}]
    return [{**key, "shown_state": _key_state(key, now), "limits": limits.get(key["name"], "")} for key in keys]


def _key_state(key: Row, now: float) -> str:
    if key.get("unanswered_since") is not None:
        return f"{key['state']}, no answer"
    if key.get("cooling_until") is None:
        return str(key["state"])
    return f"{key['state']} {duration(key['cooling_until'] - now)}"


def shortcuts(width: int) -> str:
    """As many of the shortcuts as fit; the help has all of them."""
    first, last = ["? help", "q quit"], ["s sort", "/ filter", "p pause", "r rotate", "d disable", "tab switch table"]
    while last and len("  ".join([*last, *first])) > width:
        last.pop()
    return "  ".join([*last, *first])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
