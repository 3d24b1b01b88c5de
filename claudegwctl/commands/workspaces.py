"""claudegwctl workspaces …"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Final

import typer

from claudegwctl.client import SLOW_SECONDS
from claudegwctl.commands.config import place
from claudegwctl.options import AsJson, daemon_of, names_of_workspaces, new_app, wants_json
from claudegwctl.output import conversations, note, say, say_json, table
from claudegwctl.problems import NotRunning, Problem, Refused
from claudegwd.contract import expanded

app = new_app(
    "Manage workspaces: directories in which Claude works with its own tools.",
    "claudegwctl workspaces add shop ~/src/shop --clients webui",
)

_NONE: Final = "no workspaces; create one with `claudegwctl workspaces add NAME DIRECTORY`"

Name = Annotated[str, typer.Argument(help="The workspace's name.", autocompletion=names_of_workspaces)]


class Otherwise(StrEnum):
    """What happens to calls that no rule decides."""

    DENY = "deny"
    ASK = "ask"


class Sandbox(StrEnum):
    """How far workspaces are confined."""

    AUTO = "auto"
    REQUIRED = "required"
    OFF = "off"


@app.command("list", epilog="Example: claudegwctl workspaces list")
def rows(ctx: typer.Context, json: AsJson = False) -> None:
    """List the workspaces of the running daemon, and what is wrong with them."""
    found = daemon_of(ctx).get("/v1/workspaces")
    if wants_json(ctx, json):
        say_json(found)
        return
    if not found["workspaces"]:
        say(_NONE)
        return
    heads = ("name", "directory", "tools", "for", "otherwise", "sandbox", "kept", "problem")
    unknown = _unknown_clients(ctx, [name for row in found["workspaces"] for name in row["clients"]])
    for line in table(heads, [_row(row, unknown) for row in found["workspaces"]]):
        say(line)


def _row(row: Mapping[str, Any], unknown: Sequence[str]) -> tuple[object, ...]:
    users = [f"{name} (no such client)" if name in unknown else name for name in row["clients"]]
    users += ["anybody without a key"] if row["anonymous"] else []
    sandbox = row["sandbox"] if row["sandbox"] == "off" else f"{row['sandbox']} ({row['sandbox_effective']})"
    clients = ", ".join(users) or "nobody"
    kept = conversations(row.get("conversations", {})) if row.get("sessions") else ""
    return (
        row["name"], row["directory"], " ".join(row["tools"]), clients, row["otherwise"], sandbox, kept, row["problem"],
    )  # fmt: skip


@app.command("add", epilog="Example: claudegwctl workspaces add shop ~/src/shop --clients webui --tools Read,Grep,Edit")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of your choice; its models are called MODEL@NAME.")],
    directory: Annotated[Path, typer.Argument(help="The directory for Claude to work in.")],
    tools: Annotated[str, typer.Option(help="Claude's tools, separated by commas; by default Read,Grep,Glob.")] = "",
    allow: Annotated[list[str] | None, typer.Option(help="A rule such as 'Bash(pytest *)'; may be repeated.")] = None,
    deny: Annotated[list[str] | None, typer.Option(help="A rule; it takes precedence over those that allow.")] = None,
    clients: Annotated[str, typer.Option(help="The clients that may use it, separated by commas.")] = "",
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Also allow clients without a key (on loopback).")
    ] = False,
    otherwise: Annotated[
        Otherwise, typer.Option(help="What to do when no rule applies: deny, or ask you.")
    ] = Otherwise.DENY,
    sandbox: Annotated[
        Sandbox, typer.Option(help="auto: as far as possible; required: refuse to run without it; off: none.")
    ] = Sandbox.AUTO,
    json: AsJson = False,
) -> None:
    """Add a workspace to config.toml and have the daemon load it. What the daemon would refuse is not written."""
    from claudegwctl import editing

    file, state = place(ctx)
    settings: dict[str, Any] = {
        "directory": str(expanded(directory).resolve()),  # by the caller's home and directory
        "tools": _names(tools),
        "allow": allow or [],
        "deny": deny or [],
        "clients": _names(clients),
        "anonymous": anonymous,
        "otherwise": "" if otherwise is Otherwise.DENY else otherwise.value,
        "sandbox": "" if sandbox is Sandbox.AUTO else sandbox.value,
    }

    def edit(text: str) -> str:
        if name in editing.workspaces_in(text):
            raise Problem(f"cannot add workspace {name!r}: it already exists; change it with `claudegwctl config edit`")
        return editing.with_workspace(text, name, {key: value for key, value in settings.items() if value})

    new, _ = editing.change(file, edit, state)
    done = {"name": name, "path": str(file), **_took(ctx, file, new)}
    row = next((row for row in _rows(ctx) if row["name"] == name), None)
    done |= {"models": row["models"] if row else [], "problem": row["problem"] if row else ""}
    done["unknown_clients"] = unknown = _unknown_clients(ctx, settings["clients"])
    if wants_json(ctx, json):
        say_json(done)
        return
    say(f"added {name} to {file}")
    _say_what_is_left(done)
    if row:
        say(f"models: {', '.join(row['models'])}")
    if row and row["problem"]:
        note(f"not usable yet: {row['problem']}")
    for client in unknown:
        note(_no_such_client(client))
    if not settings["clients"] and not anonymous:
        note("nobody may use it yet: add clients to it (`claudegwctl config edit`), or set anonymous = true")


@app.command("remove", epilog="Example: claudegwctl workspaces remove shop")
def remove(ctx: typer.Context, name: Name, json: AsJson = False) -> None:
    """Remove a workspace from config.toml and from the daemon. Its directory is left as it is."""
    from claudegwctl import editing

    file, state = place(ctx)

    def edit(text: str) -> str:
        if name not in editing.workspaces_in(text):
            raise Problem(f"cannot find workspace {name!r} in {file}: `claudegwctl workspaces list` shows the names")
        return editing.without_workspace(text, name)

    new, _ = editing.change(file, edit, state)
    done = {"name": name, "path": str(file), **_took(ctx, file, new)}
    if wants_json(ctx, json):
        say_json(done)
        return
    say(f"removed {name} from {file}")
    _say_what_is_left(done)


@app.command("check", epilog="Example: claudegwctl workspaces check shop")
def check(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this workspace.", autocompletion=names_of_workspaces)] = None,
    json: AsJson = False,
) -> None:
    """Check the workspaces of config.toml: their settings, directories and sandbox, and whether the daemon has them.

    The daemon need not be running. Exit status 1 if there are problems, one per line.
    """
    from claudegwctl import editing

    file, state = place(ctx)
    found = editing.checked_workspaces(file, state)
    if name is not None:
        found["workspaces"] = [row for row in found["workspaces"] if row["name"] == name]
        if not found["workspaces"] and not found["errors"]:
            raise Problem(f"cannot find workspace {name!r} in {file}: `claudegwctl workspaces list` shows the names")
    found["problems"] = [*found["errors"], *_problems(ctx, found["workspaces"])]
    if wants_json(ctx, json):
        say_json(found)
    else:
        if not found["workspaces"] and not found["problems"]:
            say(_NONE)
        for row in found["workspaces"]:
            lacks = f"; not confined: {'; '.join(row['sandbox_missing'])}" if row["sandbox_missing"] else ""
            say(f"{row['name']}: {row['directory']}, sandbox {row['sandbox']} ({row['sandbox_effective']}){lacks}")
        for problem in found["problems"]:
            note(problem)
    if found["problems"]:
        raise typer.Exit(Problem.exit_code)


def _problems(ctx: typer.Context, here: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with valid workspaces. A running daemon knows better than we do: it may be another user."""
    there: dict[str, dict[str, Any]] | None = None
    waiting: set[str] = set()
    # Refused: keys or other sections are invalid, which `config check` reports.
    with suppress(NotRunning, Refused):
        there = {row["name"]: row for row in daemon_of(ctx).get("/v1/workspaces")["workspaces"]}
        waiting = {change["key"] for change in daemon_of(ctx).ask("POST", "/v1/config/check")["changes"]}
    unknown = _unknown_clients(ctx, [name for row in here for name in row["clients"]])
    for row in here:
        name = row["name"]
        if there is not None and (name not in there or f"workspaces.{name}" in waiting):
            yield f"cannot use {name} as written: the daemon has not loaded it; run `claudegwctl reload`"
        elif problem := (row if there is None else there[name])["problem"]:
            yield f"cannot use {name}: {problem}"
        for client in sorted({*unknown} & {*row["clients"]}):
            yield f"cannot use {name} as {client}: {_no_such_client(client)}"


def _unknown_clients(ctx: typer.Context, names: Sequence[str]) -> list[str]:
    """Those that are no client of the running daemon: probably mistyped. [] if none is running."""
    if not names:
        return []
    with suppress(NotRunning, Refused):
        known = {row["name"] for row in daemon_of(ctx).get("/v1/clients")["clients"]}
        return [name for name in names if name not in known]
    return []


def _no_such_client(name: str) -> str:
    return (
        f"there is no client {name!r}; correct the name, or create it with `claudegwctl clients create {quote(name)}`"
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _rows(ctx: typer.Context) -> list[dict[str, Any]]:
    """The daemon's workspaces; [] if none is running."""
    try:
        found: list[dict[str, Any]] = daemon_of(ctx).get("/v1/workspaces")["workspaces"]
    except NotRunning:
        return []
    return found


def _took(ctx: typer.Context, file: Path, text: str) -> dict[str, Any]:
    """Apply the new file to the service's unit and the daemon. Returns what was done, and what is left to do."""
    drop_in = _drop_in(file, text)
    try:
        daemon_of(ctx).ask("POST", "/v1/reload", seconds=SLOW_SECONDS)
    except NotRunning:
        return {"reloaded": False, "refused": "", "drop_in": drop_in}
    except Refused as refusal:
        # The daemon can see the directory only once its unit permits it.
        return {"reloaded": False, "refused": str(refusal), "drop_in": drop_in}
    return {"reloaded": True, "refused": "", "drop_in": drop_in}


def _drop_in(file: Path, text: str) -> dict[str, Any] | None:
    """The unit's drop-in if it has to change: written if we are permitted to. None if there is nothing to do."""
    from claudegwctl import editing
    from claudegwctl.service import grants
    from claudegwctl.service.host import this_host
    from claudegwctl.service.steps import PutFile

    host = this_host()
    system = grants.is_system(host, file)
    if system is None:
        return None
    step = grants.step(host, editing.workspaces_in(text), system=system)
    if step.is_done():
        return None
    why = ""
    try:
        step.do()
    except Problem as problem:
        why = str(problem)
    content = step.data.decode() if isinstance(step, PutFile) else ""
    return {"path": str(step.path), "content": content, "problem": why, "then": grants.again(system=system)}


def _say_what_is_left(done: Mapping[str, Any]) -> None:
    drop_in = done["drop_in"]
    if drop_in is not None:
        for line in lines_of(drop_in):
            say(line)
    if done["refused"] and drop_in is None:
        raise Problem(f"cannot load the change; the daemon continues as before: {done['refused']}")
    if done["refused"]:
        note(f"the daemon continues without the change: {done['refused']}")
    elif not done["reloaded"]:
        say("claudegwd is not running; it will load the change when it starts")


def lines_of(drop_in: Mapping[str, Any]) -> Iterator[str]:
    """What became of the unit's drop-in, and what is left to do."""
    path, content, problem = drop_in["path"], drop_in["content"], drop_in["problem"]
    if problem:
        yield problem
        yield f"as root, {f'write this to {path}:' if content else f'remove {path}'}"
    elif content:
        yield f"wrote {path}, which permits the service what its workspaces need:"
    else:
        yield f"removed {path}"
    yield from (f"    {line}" for line in content.splitlines())
    yield f"then, to apply it: {drop_in['then']}"
