"""claudegwctl logs"""

from __future__ import annotations

import json as to_json
import re
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from claudegwctl.options import AsJson, daemon_of, names_of_clients, names_of_keys, new_app, wants_json
from claudegwctl.output import coloured, say, say_json_line
from claudegwctl.problems import UsageError

app = new_app()

# What the daemon keeps in memory.
MAX_LINES: Final = 2000
_COLOURS: Final = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red"}


class Level(StrEnum):
    """Log levels, the lowest first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@app.command(epilog="Example: claudegwctl logs -f --level warning")
def logs(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new ones until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=MAX_LINES, help="How many records to show.")] = 50,
    level: Annotated[Level, typer.Option("--level", "-l", help="The lowest level to show.")] = Level.DEBUG,
    since: Annotated[str, typer.Option(help="Only records newer than this: 90s, 15m, 12h, 7d.")] = "",
    request: Annotated[str, typer.Option(help="Only records of this request (x-request-id).")] = "",
    key: Annotated[str, typer.Option(help="Only records of this upstream key.", autocompletion=names_of_keys)] = "",
    client: Annotated[str, typer.Option(help="Only records of this client.", autocompletion=names_of_clients)] = "",
    json: AsJson = False,
) -> None:
    """Show the last records of the log.

    They are kept in memory; older ones are in the journal."""
    as_json = wants_json(ctx, json)
    query: dict[str, object] = {"lines": lines, "follow": int(follow), "level": level.value}
    if since:
        query["since"] = max(0, int(time.time() - seconds_of(since)))
    query |= {name: value for name, value in (("request", request), ("key", key), ("client", client)) if value}
    try:
        for record in daemon_of(ctx).lines("/v1/logs", query, follow=follow):
            say_json_line(record) if as_json else say(line(record))
    except KeyboardInterrupt:
        if not follow:  # with --follow, it is how to stop
            raise


def seconds_of(text: str) -> int:
    """A duration such as 15m."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip(), re.ASCII)
    if found is None:
        raise UsageError("cannot use --since: give a number with s, m, h, d or w, such as 15m")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[found[2]]


def line(record: Mapping[str, Any]) -> str:
    """A record for people: time, level, text, fields."""
    fields = {name: value for name, value in record.items() if name not in {"time", "level", "message"}}
    level = str(record.get("level", ""))
    parts = [str(record.get("time", "")), coloured(f"{level:<7}", _COLOURS.get(level, "bold"))]
    parts.append(str(record.get("message", "")))
    parts += [f"{name}={_text(value)}" for name, value in fields.items() if value is not None]
    return " ".join(parts)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else to_json.dumps(value)
    return to_json.dumps(text, ensure_ascii=False) if not text or set(' "=') & set(text) else text
