"""claudegwctl status"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from shutil import get_terminal_size
from typing import Annotated, Any, Final

import typer

from claudegwctl.options import AsJson, Interval, daemon_of, new_app, wants_json
from claudegwctl.output import (
    ago,
    coloured,
    conversations,
    duration,
    hanging,
    harmless,
    has_cursor_control,
    note,
    say,
    say_json,
    show,
    table,
)
from claudegwctl.problems import Problem

app = new_app()

# Each frame overwrites the previous one, clearing the rest of each line and then everything below: the screen is never
# blank, so it does not flicker. Wrapping is off meanwhile, so that each line takes exactly one row.
_CLEAR: Final = "\x1b[2J"
_FRAME: Final = "\x1b[?7l\x1b[H{}\x1b[K\n\x1b[J\x1b[?7h"
_END_OF_LINE: Final = "\x1b[K\n"
_BREAK: Final = re.compile(r"\n *")
_WINDOWS: Final = {"5h": "5 h", "7d": "week"}
_HALF_A_DAY: Final = 43_200
_STATE_COLOURS: Final = {"ready": "green", "starting": "yellow", "degraded": "red", "draining": "yellow"}
_MACHINE_HEADS: Final = (
    "machine", "state", "version", "claude", "requests", "queued", "busy", "workers", "keys", "seen",
)  # fmt: skip
_MACHINE_NUMBERS: Final = frozenset(range(4, 8))
_LOGINS: Final = {"claude": "the login of the Claude Code CLI", "apiKeyHelper": "apiKeyHelper from the CLI's settings"}
_KEY_COLOURS: Final = {
    "active": "green", "cooling": "yellow", "exhausted": "yellow", "invalid": "red", "disabled": "dim",
}  # fmt: skip


@app.command(epilog="Example: claudegwctl status --watch")
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    interval: Interval = 2.0,
    everywhere: Annotated[
        bool, typer.Option("--all", "-a", help="Show the machines that share a store with this one, one per line.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show the daemon's status.

    State and versions, where it listens, requests, workers, and each upstream key with its state."""
    daemon, as_json = daemon_of(ctx), wants_json(ctx, json)
    over = watch and not as_json and has_cursor_control()
    path = "/v1/machines" if everywhere else "/v1/status"
    found = daemon.get(path)  # fail at once if it is not running
    if over:
        show(_CLEAR)
    _show(found, as_json=as_json, over=over)
    try:
        gone = False
        while watch:
            time.sleep(interval)
            try:
                _show(daemon.get(path), as_json=as_json, over=over)
                gone = False
            except Problem as problem:  # perhaps it is being restarted
                said = f"{problem}; waiting"
                if over:  # what is on the screen is out of date
                    _write_over([said])
                elif not gone:
                    note(said)
                gone = True
    except KeyboardInterrupt:
        # It is how to stop watching.
        return


def _show(found: Mapping[str, Any], *, as_json: bool, over: bool) -> None:
    if as_json:
        say_json(found)
    elif over:
        _write_over(list(lines(found, time.time())))
    else:
        say("\n".join(lines(found, time.time())))


def _write_over(shown: Sequence[str]) -> None:
    fit = fitting([_BREAK.sub(" ", harmless(line)) for line in shown], get_terminal_size().lines)
    show(_FRAME.format(_END_OF_LINE.join(fit)))


def fitting(lines: Sequence[str], rows: int) -> Sequence[str]:
    """The first lines, as many as fit a terminal of `rows` rows with the cursor below them."""
    room = max(1, rows - 1)
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], coloured(f"… and {len(lines) - room + 1} more lines: make the window taller", "dim")]


def lines(status: Mapping[str, Any], now: float) -> Iterator[str]:
    """The answer to GET /v1/status, or to GET /v1/machines, for people. `now` is seconds since the epoch."""
    yield from (hanging(line, 14) for line in _lines(status, now))


def _lines(status: Mapping[str, Any], now: float) -> Iterator[str]:
    if "machines" in status:
        yield from table(_MACHINE_HEADS, map(_machine, status["machines"]), right=_MACHINE_NUMBERS)
        return
    state = str(status.get("state", "unknown"))
    shown = coloured(state, _STATE_COLOURS.get(state, "red"))
    uptime = duration(status.get("uptime_seconds", 0))
    yield f"claudegwd {status.get('version')}: {shown}, up {uptime}, pid {status.get('pid')}"
    if (since := status.get("drained_since")) is not None:
        yield f"{'drained':<14}{coloured(f'{ago(since)}, by the operator; `claudegwctl undrain` ends it', 'yellow')}"
    if problem := status.get("problem"):
        yield f"{'problem':<14}{coloured(str(problem), 'red')}"
    if lost := status.get("log_lines_lost"):
        yield f"{'log':<14}{coloured(f'{lost} lines were lost: whatever reads the log was blocked', 'yellow')}"
    if status.get("content_logged"):
        yield f"{'log':<14}{coloured('contains questions and answers (log.content)', 'red')}"
    if shared := status.get("shared"):
        yield f"{'shared':<14}{_shared(shared)}"
    if (kept := status.get("conversations")) and kept.get("count"):
        yield f"{'kept':<14}{conversations(kept)} of workspaces"
    yield f"{'claude':<14}{_claude(status)}"
    yield f"{'listening':<14}{', '.join(status.get('binds') or ['not yet'])}"
    if shuts_out := status.get("shuts_out"):
        yield f"{'clients':<14}{coloured(shuts_out, 'yellow')}"
    yield f"{'requests':<14}{_counts(status.get('requests', {}))}"
    if used := today(status.get("usage")):
        yield f"{'today':<14}{used}"
    if lost := status.get("usage_lost"):
        yield f"{'usage':<14}{coloured(lost_text(lost), 'yellow')}"
    yield f"{'workers':<14}{_counts(status.get('workers', {}))}"
    yield f"{'configuration':<14}generation {status.get('config_generation')}, {_reload(status.get('last_reload'))}"
    yield from _keys(status, now)
    yield from windows(status.get("windows", []), now)


def _shared(shared: Mapping[str, Any]) -> str:
    if shared.get("away_since") is None:
        return f"{shared['place']} ({shared['version']}), as {shared['machine']}"
    gone = f"{shared['place']} became unavailable {ago(shared['away_since'])}: {shared['problem']}"
    return coloured(f"{gone}; this machine continues with what it knows", "yellow")


def _machine(row: Mapping[str, Any]) -> Sequence[object]:
    requests, workers = row.get("requests", {}), row.get("workers", {})
    keys = f"{row['keys_usable']} of {row['keys']}" if row.get("keys") else ""
    return (
        row["machine"], row["state"], row.get("version"), row.get("claude_version"), requests.get("active"),
        requests.get("queued"), workers.get("busy"), sum(workers.values()) if workers else None, keys,
        ago(row.get("last_seen")),
    )  # fmt: skip


def _claude(status: Mapping[str, Any]) -> str:
    version = status.get("claude_version") or "not known yet"
    binary = status.get("claude_binary")
    return f"{version} ({binary})" if binary else str(version)


def _counts(counts: Mapping[str, Any]) -> str:
    numbers = {name: count for name, count in counts.items() if isinstance(count, int)}
    shown = [f"{count} {name}" for name, count in numbers.items() if count or name in {"active", "total"}]
    return ", ".join(shown) or "none"


def lost_text(lost: int) -> str:
    """How much usage has been lost since the daemon's start."""
    whose = "1 request was" if lost == 1 else f"{lost:,} requests were"
    return f"{whose} never recorded: the disk was full or failing; see `claudegwctl logs`"


def today(usage: Mapping[str, Any] | None) -> str:
    """The usage since midnight UTC; "" if there is none."""
    if not usage or not usage["requests"]:
        return ""
    from claudegwctl.commands.usage import dollars

    failed = f", {usage['errors']:,} failed" if usage["errors"] else ""
    cost = "" if usage["cost_usd"] is None else f", {dollars(usage['cost_usd'])}"
    tokens = f"{usage['prompt_tokens']:,} tokens in, {usage['completion_tokens']:,} out"
    return f"{usage['requests']:,} request{'' if usage['requests'] == 1 else 's'}{failed}; {tokens}{cost}"


def _reload(last: Mapping[str, Any] | None) -> str:
    if not last:
        return "not reloaded"
    if last.get("ok", True):
        return f"reloaded {ago(last.get('at'))}"
    refused = coloured("the last reload was rejected", "yellow")
    return f"{refused} {ago(last.get('at'))}: {last.get('error', 'see the log')}"


def _keys(status: Mapping[str, Any], now: float) -> Iterator[str]:
    keys = status.get("keys", [])
    if not keys:
        login = status.get("login") or "claude"
        used = _LOGINS.get(login, f"{login} from the daemon's environment")
        yield f"{'keys':<14}none: {used} is used"
        yield from _login_failure(status.get("login_failure"), now)
        return
    origin = f" from {status['keys_origin']}" if status.get("keys_origin") else ""
    yield f"{'keys':<14}{len(keys)}{origin}"
    width = max(len(key["name"]) for key in keys)
    for key in keys:
        mark = "*" if key["state"] == "active" else " "
        state = coloured(f"{key['state']:<9}", _KEY_COLOURS.get(key["state"], "bold"))
        yield f"  {mark} {key['name']:<{width}}  {state}  {'  '.join(_details(key, now))}".rstrip()


def _login_failure(failure: Mapping[str, Any] | None, now: float) -> Iterator[str]:
    if failure is None:
        return
    said = f"failed {ago(failure['at'])}: {failure['error']}"
    if failure.get("until") is not None:
        said += f"; retried in {duration(failure['until'] - now)}"
    said += "; log in again or `claudegwctl reload` to clear it"
    yield f"{'login':<14}{coloured(said, 'yellow')}"


def windows(rows: Sequence[Mapping[str, Any]], now: float) -> Iterator[str]:
    """What is known about the upstream's limits, one line per key."""
    by_key = window_texts(rows, now)
    width = max(map(len, by_key), default=0)
    for place, (key, text) in enumerate(by_key.items()):
        yield f"{'limits' if not place else '':<14}{key:<{width}}  {text}"


def window_texts(rows: Sequence[Mapping[str, Any]], now: float) -> dict[str, str]:
    """The same by key, for instance "5 h: 62% used, resets 17:40; week: 31% used"."""
    by_key: dict[str, list[str]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(_window(row, now))
    return {key: "; ".join(texts) for key, texts in by_key.items()}


def _window(row: Mapping[str, Any], now: float) -> str:
    name = row["window"]
    for short, long in _WINDOWS.items():
        name = name.replace(short, long, 1) if name.startswith(short) else name
    text = f"{name}: {row['used']:.0%} used"
    if row.get("resets") is not None:
        text += f", resets {_clock(row['resets'], now)}"
    return text + (" (billed as extra usage)" if row.get("extra_usage") else "")


def _clock(moment: float, now: float) -> str:
    """The local time of day, with the date if it is more than half a day away."""
    then = time.localtime(moment)
    return time.strftime("%H:%M" if moment - now < _HALF_A_DAY else "%a %d %b %H:%M", then)


def _details(key: Mapping[str, Any], now: float) -> Iterator[str]:
    count = key.get("requests", 0)
    yield f"{count} request{'' if count == 1 else 's'}"
    if key.get("cooling_until") is not None:
        yield f"back in {duration(key['cooling_until'] - now)}"
    if key.get("unanswered_since") is not None:
        yield f"its upstream has not answered for {duration(now - key['unanswered_since'])}"
    if key.get("last_error"):
        yield f"last error: {key['last_error']}"
