"""claudegwctl connect"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claudegwctl.client import Daemon
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import coloured, note, say, say_json, table
from claudegwctl.problems import Problem

if TYPE_CHECKING:
    from claudegwctl.connecting.clients import ClientProgram, Wanted
    from claudegwctl.connecting.writing import FileChange

app = new_app()

# Stands for a key in a snippet where one is needed and none was given.
_NO_KEY: Final = "YOUR-KEY"
# Where no key is asked for, clients still insist on sending one.
_ANY_KEY: Final = "any"
_COLOURS: Final = {"+": "green", "-": "red"}


def names_of_known(incomplete: str) -> list[str]:
    from claudegwctl.connecting.clients import CLIENTS

    return [client.name for client in CLIENTS if client.name.startswith(incomplete)]


@app.command(epilog="Example: claudegwctl connect opencode --write")
def connect(
    ctx: typer.Context,
    client: Annotated[
        str | None, typer.Argument(help="Which client; without it they are listed.", autocompletion=names_of_known)
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model it shall use.")] = "",
    create_key: Annotated[
        bool, typer.Option("--create-key", help="Make it a key of its own; else GATEWAY_KEY is used, or none.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Put it into the client's own configuration.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take it out of the client's own configuration.")] = False,
    file: Annotated[Path | None, typer.Option(help="The client's configuration, if not at its usual place.")] = None,
    url: Annotated[str, typer.Option(help="The address by which the client reaches the gateway, with /v1.")] = "",
    json: AsJson = False,
) -> None:
    """Show how a client is pointed at this gateway, or do it.

    --write shows the difference, keeps the file as it was beside it, and can be repeated; --remove takes it back.
    """
    from claudegwctl.connecting.clients import CLIENTS
    from claudegwctl.connecting.writing import apply, connected, disconnected, file_of

    as_json = wants_json(ctx, json)
    if client is None:
        _list(as_json=as_json)
        return
    found = next((each for each in CLIENTS if each.name == client), None)
    if found is None:
        raise Problem(f"cannot connect {client!r}: it is not known; `claudegwctl connect` lists those that are")
    if write and remove:
        raise Problem("cannot both --write and --remove: choose one")
    if (write or remove) and found.kind is None:
        raise Problem(f"cannot edit the settings of {found.title}: follow `claudegwctl connect {found.name}`")
    target = file or file_of(found, os.environ, Path.home())
    if remove:
        _told(found, change := disconnected(found, target), as_json=as_json)
        apply(change)
        return
    to = _wanted(daemon_of(ctx), found, target, model=model, url=url, create=create_key)
    if not write:
        _show(found, to, target, as_json=as_json)
        return
    if to.key == _NO_KEY:
        raise Problem("cannot connect it: the gateway asks for a client's key; add --create-key, or set GATEWAY_KEY")
    _told(found, change := connected(found, to, target), as_json=as_json)
    apply(change)
    if not as_json:
        note(found.words(to))


def _list(*, as_json: bool) -> None:
    from claudegwctl.connecting.clients import CLIENTS
    from claudegwctl.connecting.writing import file_of, is_connected

    rows: list[dict[str, Any]] = []
    for each in CLIENTS:
        path = None if each.kind is None else file_of(each, os.environ, Path.home())
        try:
            holds = path is not None and is_connected(each, path)
        except Problem:
            holds = False
        file = None if path is None else str(path)
        rows.append({"client": each.name, "title": each.title, "file": file, "connected": holds})
    if as_json:
        say_json({"clients": rows})
        return
    shown = [(row["client"], row["title"], "connected" if row["connected"] else "", row["file"]) for row in rows]
    for line in table(("client", "", "state", "file that --write edits"), shown):
        say(line)


def _wanted(daemon: Daemon, client: ClientProgram, file: Path, *, model: str, url: str, create: bool) -> Wanted:
    from claudegwctl.connecting.clients import Wanted
    from claudegwctl.connecting.writing import key_in
    from claudegwctl.public import address_of

    status = daemon.get("/v1/status")
    settings = {row["key"]: row["value"] for row in daemon.get("/v1/config")["settings"]}
    needed = bool(url) or asks_for_keys(settings["auth.required"], status["binds"])
    key = os.environ.get("GATEWAY_KEY") or key_in(client, file)
    if create and not key:
        key = str(daemon.ask("POST", "/v1/clients", {"name": client.name})["key"])
    address = url.rstrip("/") or address_of(status).url
    chosen = model or str(settings["claude.default_model"])
    return Wanted(address, key or (_NO_KEY if needed else _ANY_KEY), chosen, has_key=bool(key or needed))


def asks_for_keys(required: object, binds: list[str]) -> bool:
    """Whether the gateway refuses who sends no key: `auth.required`, which by itself goes by where it listens."""
    if required != "auto":
        return bool(required)
    return not all(bind.startswith(("127.", "[::1]", "localhost:")) for bind in binds)


def _show(client: ClientProgram, to: Wanted, file: Path, *, as_json: bool) -> None:
    from claudegwctl.connecting.documents import Document

    text = client.words(to)
    if client.kind is not None:
        document = Document(client.kind, "", str(file))
        for entry in client.entries(to):
            document.put(entry.path, entry.value)
        text = document.text().rstrip("\n")
    if as_json:
        where = None if client.kind is None else str(file)
        say_json({"client": client.name, "url": to.url, "model": to.model, "file": where, "snippet": text})
        return
    if client.kind is not None:
        note(f"into {file} (with --write it is put there):")
    say(text)
    if to.key == _NO_KEY:
        note("the gateway asks for a client's key: --create-key makes one, and puts it in")


def _told(client: ClientProgram, change: FileChange, *, as_json: bool) -> None:
    """What is about to be written."""
    from claudegwctl.connecting.writing import BACKUP_SUFFIX

    kept = f"{change.file}{BACKUP_SUFFIX}" if change.backup is not None else None
    if as_json:
        say_json({"client": client.name, "file": str(change.file), "changed": not change.is_none, "backup": kept})
        return
    if change.is_none:
        say(f"{change.file} needs no change")
        return
    for line in change.lines():
        say(coloured(line, _COLOURS[line[0]]) if line[:1] in _COLOURS else line)
    if kept:
        note(f"the file as it was is kept as {kept}")
