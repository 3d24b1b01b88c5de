"""claudegwctl clients …"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from claudegwctl.client import quoted
from claudegwctl.options import AsJson, daemon_of, names_of_clients, new_app, wants_json
from claudegwctl.output import ago, duration, note, say, say_json, table
from claudegwctl.problems import UsageError

app = new_app("Manage the clients of this gateway, and their keys.", "claudegwctl clients create laptop")

ClientName = Annotated[str, typer.Argument(help="The client's name.", autocompletion=names_of_clients)]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@app.command("create", epilog="Example: claudegwctl clients create laptop --rpm 60 --expires 90d")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of your choice.")],
    models: Annotated[str | None, typer.Option(help="The only models it may use, separated by commas.")] = None,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests per minute; 0: no limit.")] = None,
    tpm: Annotated[int | None, typer.Option(min=0, help="Tokens per minute; 0: no limit.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=0, help="Concurrent requests; 0: no limit.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it expires: 30d, 12h, or 2027-01-31.")] = None,
    budget: Annotated[
        str, typer.Option(help="What it may spend: 20usd/month, 5Mtokens/day; separate several with commas.")
    ] = "",
    server_tools: Annotated[
        str, typer.Option(help="Server-side tools that it may use, which cost extra: web_search, web_fetch, …")
    ] = "",
    json: AsJson = False,
) -> None:
    """Create a client and print its key, once. Anything omitted falls back to [limits] in the configuration."""
    if models is not None and not _names(models):
        raise UsageError(f"cannot create {name}: --models is empty; omit it to allow all models")
    body: dict[str, Any] = {
        "name": name,
        "models": _names(models or ""),
        "requests_per_minute": rpm,
        "tokens_per_minute": tpm,
        "concurrent_requests": concurrent,
        "expires": None if expires is None else moment(expires, time.time()),
        "budget": budget,
        "server_tools": _names(server_tools),
    }
    made = daemon_of(ctx).ask("POST", "/v1/clients", body)
    _say_key(ctx, made, f"the key of {name}, shown only once:", json=json)


@app.command("list", epilog="Example: claudegwctl clients list")
def rows(ctx: typer.Context, json: AsJson = False) -> None:
    """List the clients with their limits and usage."""
    found = daemon_of(ctx).get("/v1/clients")
    if wants_json(ctx, json):
        say_json(found)
        return
    if not found["clients"]:
        say("no clients; create one with `claudegwctl clients create NAME`")
        return
    heads = ("name", "state", "last used", "requests", "tokens", "expires", "limits")
    for line in table(heads, map(_row, found["clients"])):
        say(line)


@app.command("revoke", epilog="Example: claudegwctl clients revoke laptop")
def revoke(
    ctx: typer.Context,
    name: ClientName,
    json: AsJson = False,
) -> None:
    """Revoke a client at once, ending its running answers."""
    done = daemon_of(ctx).ask("DELETE", f"/v1/clients/{quoted(name)}")
    _say_done(ctx, done, f"revoked {name}", json=json)


@app.command("remove", epilog="Example: claudegwctl clients remove laptop")
def remove(
    ctx: typer.Context,
    name: ClientName,
    json: AsJson = False,
) -> None:
    """Revoke a client at once and delete its totals, projects and sessions. Its name can be used again."""
    done = daemon_of(ctx).ask("DELETE", f"/v1/clients/{quoted(name)}?forget=1")
    _say_done(ctx, done, f"removed {name}", json=json)


@app.command("rotate", epilog="Example: claudegwctl clients rotate laptop")
def rotate(
    ctx: typer.Context,
    name: ClientName,
    json: AsJson = False,
) -> None:
    """Give a client a new key and print it, once. The old key stops working."""
    made = daemon_of(ctx).ask("POST", f"/v1/clients/{quoted(name)}/rotate")
    _say_key(ctx, made, f"the new key of {name}, shown only once:", json=json)


@app.command("set", epilog="Example: claudegwctl clients set laptop --rpm 60 --expires 90d")
def change(
    ctx: typer.Context,
    name: ClientName,
    models: Annotated[str | None, typer.Option(help='The only models it may use; "": all.')] = None,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests per minute; 0: no limit.")] = None,
    tpm: Annotated[int | None, typer.Option(min=0, help="Tokens per minute; 0: no limit.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=0, help="Concurrent requests; 0: no limit.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it expires: 30d, 12h, 2027-01-31, or never.")] = None,
    budget: Annotated[str | None, typer.Option(help="What it may spend: 20usd/month, 5Mtokens/day; or none.")] = None,
    server_tools: Annotated[
        str | None, typer.Option(help='Server-side tools that it may use: web_search, web_fetch, …; "": none.')
    ] = None,
    json: AsJson = False,
) -> None:
    """Change a client's models, limits, budgets, tools or expiry. Its key, and anything omitted, stays as it is."""
    limits = {"requests_per_minute": rpm, "tokens_per_minute": tpm, "concurrent_requests": concurrent}
    body: dict[str, Any] = {field: limit for field, limit in limits.items() if limit is not None}
    if models is not None:
        body["models"] = _names(models)
    if expires is not None:
        body["expires"] = None if expires == "never" else moment(expires, time.time())
    if budget is not None:
        body["budget"] = budget
    if server_tools is not None:
        body["server_tools"] = _names(server_tools)
    if not body:
        raise typer.BadParameter("give what to change, for example --rpm 60")
    done = daemon_of(ctx).ask("PATCH", f"/v1/clients/{quoted(name)}", body)
    _say_done(ctx, done, f"changed {name}", json=json)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def moment(text: str, now: float) -> float:
    """A time span from `now`, or a date, as seconds since the epoch."""
    if span := re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip().lower(), re.ASCII):
        return now + int(span[1]) * _UNITS[span[2]]
    try:
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise UsageError(f"cannot read the time {text!r}: use for example 30d, 12h, or 2027-01-31") from None


def _row(client: dict[str, Any]) -> tuple[object, ...]:
    expires = client.get("expires")
    return (
        client["name"],
        client["state"],
        ago(client.get("last_used")),
        client.get("requests"),
        client.get("tokens"),
        _expiry(expires, time.time()),
        ", ".join(_limits(client)) or "none",
    )


def _expiry(expires: float | None, now: float) -> str:
    if expires is None:
        return "never"
    return f"in {duration(expires - now)}" if expires > now else ago(expires)


def _budget(row: dict[str, Any]) -> str:
    used = row["used"] if "tokens" not in row["budget"] else round(row["used"])
    return f"{row['budget']} ({used:.6g} used)"


def _limits(client: dict[str, Any]) -> list[str]:
    limits = [f"{client[name]} {short}" for name, short in _SHORT.items() if client.get(name)]
    limits += map(_budget, client.get("budgets", ()))
    limits += [f"with {' '.join(client['server_tools'])}"] if client.get("server_tools") else []
    return limits + ([f"only {' '.join(client['models'])}"] if client.get("models") else [])


_SHORT: Final = {"requests_per_minute": "rpm", "tokens_per_minute": "tpm", "concurrent_requests": "concurrent"}


def _say_done(ctx: typer.Context, done: Mapping[str, Any], words: str, *, json: bool) -> None:
    if wants_json(ctx, json):
        say_json(done)
    else:
        say(words)


def _say_key(ctx: typer.Context, made: Mapping[str, Any], words: str, *, json: bool) -> None:
    if wants_json(ctx, json):
        say_json(made)
        return
    note(words)  # on stderr: stdout has only the key
    say(made["key"])
