"""claudegwctl usage"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from claudegwctl.options import AsJson, daemon_of, names_of_clients, new_app, wants_json
from claudegwctl.output import say, say_json, table
from claudegwctl.problems import UsageError

app = new_app()

_HEADS: Final = {
    "requests": "requests", "errors": "errors", "prompt_tokens": "prompt", "completion_tokens": "completion",
    "cached_tokens": "cached", "cache_write_tokens": "written", "first_token_ms": "first token", "cost_usd": "cost",
}  # fmt: skip
_TOOLS: Final = {
    "web_search_requests": "web searches", "web_fetch_requests": "web fetches", "code_execution_requests": "code runs",
}  # fmt: skip
# For rows without a name: requests without a client key, requests refused before a key or model was chosen, and
# details that are kept only for a month.
_NAMELESS: Final = {"client": "(no key)", "key": "(no key)", "model": "(no model)", "answered": "(no answer)"}


@app.command(epilog="Example: claudegwctl usage --since 30d --by client,model")
def usage(
    ctx: typer.Context,
    since: Annotated[str, typer.Option(help="Start of the period: 7d, 12h, 90m, or a date, 2027-01-31.")] = "7d",
    by: Annotated[
        str, typer.Option(help="Separated by commas: client, key, model, answered, route, how, day, hour.")
    ] = "client",
    client: Annotated[
        str | None, typer.Option(help="Only this client's usage.", autocompletion=names_of_clients)
    ] = None,
    windows: Annotated[
        bool,
        typer.Option("--windows", help="Show the upstream's limits instead: how much is used, and when they reset."),
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Add up all machines that share a store with this one.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: AsJson = False,
) -> None:
    """Show who used what: requests, tokens, and what they cost.

    The cost is what the Claude Code CLI computes from its own price list. Days and hours are in UTC."""
    if as_csv and wants_json(ctx, json):
        raise UsageError("cannot print both JSON and CSV: choose one")
    if as_csv and windows:
        raise UsageError("cannot print limits as CSV: use --json")
    if client == "":
        raise UsageError("cannot show usage: the client's name is empty")
    if windows:
        _say_windows(daemon_of(ctx).get("/v1/status").get("windows", []), as_json=wants_json(ctx, json))
        return
    query = {"since": since, "by": by} | ({"client": client} if client is not None else {})
    found = daemon_of(ctx).get("/v1/usage", query | ({"all": "1"} if everywhere else {}))
    if wants_json(ctx, json):
        say_json(found)
    elif as_csv:
        say(_csv(found["rows"], found["by"]).rstrip("\n"))
    else:
        say("\n".join(lines(found)))


def _say_windows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from claudegwctl.commands.status import windows

    if as_json:
        say_json({"windows": rows})
    else:
        say("\n".join(windows(rows, time.time())) or "no limits known: the upstream has reported none yet")


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The answer to GET /v1/usage, for people."""
    by, rows, total = found["by"], found["rows"], found["total"]
    if lost := found.get("lost"):
        from claudegwctl.commands.status import lost_text

        yield lost_text(lost)
    if silent := found.get("machines_silent"):
        yield f"incomplete: no answer from {', '.join(silent)}"
    if not rows:
        yield "no usage in this period"
        return
    shown = [[*(row[name] or _NAMELESS.get(name, "(unknown)") for name in by), *_cells(row)] for row in rows]
    if by and len(rows) > 1:
        shown.append(["total", *([""] * (len(by) - 1)), *_cells(total)])
    yield from table((*by, *_HEADS.values()), shown, right=range(len(by), len(by) + len(_HEADS)))
    if left_out := found.get("rows_left_out"):
        yield f"{left_out} more rows: choose a shorter period or fewer groups"
    if used := [f"{total[name]:,} {what}" for name, what in _TOOLS.items() if total.get(name)]:
        yield f"server-side tools: {', '.join(used)}"
    if total["cost_usd"] is not None:
        yield "costs are estimates by the Claude Code CLI"
    if without := total.get("without_cost"):
        yield f"{without} answer{'' if without == 1 else 's'} without a cost: the CLI reported none"


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    for name in _HEADS:
        value = row.get(name)
        match name:
            case "cost_usd":
                yield "unknown" if value is None else dollars(value)
            case "first_token_ms":
                yield "" if value is None else f"{value:,} ms"
            case _:
                yield f"{value or 0:,}"


def dollars(amount: float) -> str:
    """US dollars, with more digits for small amounts."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def _csv(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> str:
    names = list(rows[0]) if rows else [*by, *(name for name in _HEADS)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
