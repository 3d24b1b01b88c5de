"""claudegwctl connect"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claudegwctl.client import Daemon
from claudegwctl.connecting.own_key import ANY_KEY, NO_KEY
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import coloured, note, say, say_json, table
from claudegwctl.problems import Problem, UsageError

if TYPE_CHECKING:
    from claudegwctl.connecting.clients import ClientProgram, Wanted
    from claudegwctl.connecting.own_key import OwnKey
    from claudegwctl.connecting.writing import FileChange

app = new_app()

# After a model's name, it asks for the long context.
_LONG_CONTEXT: Final = "[1m]"
_COLOURS: Final = {"+": "green", "-": "red"}


def names_of_known(incomplete: str) -> list[str]:
    from claudegwctl.connecting.clients import CLIENTS

    return [client.name for client in CLIENTS if client.name.startswith(incomplete)]


@app.command(epilog="Example: claudegwctl connect opencode --write")
def connect(
    ctx: typer.Context,
    client: Annotated[
        str | None, typer.Argument(help="The client; if omitted, all are listed.", autocompletion=names_of_known)
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model for it to use.")] = "",
    create_key: Annotated[
        bool,
        typer.Option(
            "--create-key", help="Create a key for it; otherwise the one in GATEWAY_KEY or in its file is used."
        ),
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write it to the client's own configuration.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it from the client's own configuration.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it: write nothing and create no key.")] = False,
    file: Annotated[Path | None, typer.Option(help="The client's configuration, if not at its default path.")] = None,
    url: Annotated[str, typer.Option(help="The gateway's address as the client reaches it, including /v1.")] = "",
    json: AsJson = False,
) -> None:
    """Show how to point a client at this gateway, or do it.

    --write shows the difference, keeps a copy of the original file beside it, and can be repeated; --remove undoes it.
    A client has one key of its own, however often you pass --create-key.
    """
    from claudegwctl.connecting.writing import file_of

    as_json = wants_json(ctx, json)
    if client is None:
        _list(as_json=as_json)
        return
    found = _named(client)
    if write and remove:
        raise UsageError("cannot combine --write and --remove: choose one")
    if (write or remove) and found.kind is None:
        raise Problem(
            f"cannot edit the settings of {found.title}: enter what `claudegwctl connect {found.name}` prints"
        )
    if url:
        _check_url(url)
    target, daemon = file or file_of(found, os.environ, Path.home()), daemon_of(ctx)
    if remove:
        _take_out(daemon, found, target, dry=dry_run, as_json=as_json)
        return
    own = _own(daemon, found, target, write=write) if create_key else None
    to = _wanted(daemon, found, target, own, model=model, url=url)
    if write:
        _put_in(daemon, found, to, target, own, dry=dry_run, as_json=as_json)
        return
    if own is not None and own.to_make and not dry_run:
        to = replace(to, key=_make(daemon, found))
    _show(found, to, target, as_json=as_json)
    if own is not None and own.obstacle:
        note(own.obstacle)
    elif own is None and to.key == NO_KEY:
        note("the gateway requires a client key: --create-key creates one and fills it in")


def _named(name: str) -> ClientProgram:
    from claudegwctl.connecting.clients import CLIENTS

    found = next((each for each in CLIENTS if each.name == name), None)
    if found is None:
        raise Problem(f"cannot connect {name!r}: unknown client; `claudegwctl connect` lists the known ones")
    return found


def _put_in(
    daemon: Daemon, client: ClientProgram, to: Wanted, file: Path, own: OwnKey | None, *, dry: bool, as_json: bool
) -> None:
    """A key is created last, when nothing else stands in the way."""
    from claudegwctl.connecting.writing import apply, connected

    if own is not None and own.obstacle and client.kept_key:
        raise Problem(f"cannot create a key for {client.title}: {own.obstacle}")
    if own is None and to.key == NO_KEY:
        raise Problem("cannot connect it: the gateway requires a client key; add --create-key, or set GATEWAY_KEY")
    try:
        change = connected(client, to, file)
    except Problem:
        _show(client, to, file, as_json=as_json, by_hand=True)  # so that the user can add it by hand
        raise
    made = None
    if own is not None and own.to_make and not dry:
        made = _make(daemon, client)
        to = replace(to, key=made)
        change = connected(client, to, file)
    _told(client, change, as_json=as_json, dry=dry, key=None if client.kept_key else made)
    if dry:
        return
    try:
        apply(change)
    except Problem:
        if made is not None:
            daemon.ask("DELETE", f"/v1/clients/{client.name}?forget=1")
        raise
    if own is not None and own.obstacle:
        note(own.obstacle)
    elif not as_json:
        note(client.words(to))


def _take_out(daemon: Daemon, client: ClientProgram, file: Path, *, dry: bool, as_json: bool) -> None:
    from claudegwctl.connecting.own_key import still_counts
    from claudegwctl.connecting.writing import apply, disconnected

    change = disconnected(client, file)
    _told(client, change, as_json=as_json, dry=dry)
    if dry:
        return
    apply(change)
    with suppress(Problem):  # the file has been changed, for which no daemon is needed
        if said := still_counts(client.name, daemon.get("/v1/clients")["clients"]):
            note(said)


def _make(daemon: Daemon, client: ClientProgram) -> str:
    return str(daemon.ask("POST", "/v1/clients", {"name": client.name})["key"])


def _own(daemon: Daemon, client: ClientProgram, file: Path, *, write: bool) -> OwnKey:
    from claudegwctl.connecting.own_key import own_key

    return own_key(client.name, _kept(client, file), daemon.get("/v1/clients")["clients"], write=write)


def _kept(client: ClientProgram, file: Path) -> str | None:
    from claudegwctl.connecting.writing import key_in

    try:
        return key_in(client, file)
    except Problem:  # --write reports a file that cannot be read
        return None


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


def _wanted(daemon: Daemon, client: ClientProgram, file: Path, own: OwnKey | None, *, model: str, url: str) -> Wanted:
    from claudegwctl.connecting.clients import Wanted
    from claudegwctl.public import address_of, client_key

    status = daemon.get("/v1/status")
    settings = {row["key"]: row["value"] for row in daemon.get("/v1/config")["settings"]}
    needed = own is not None or bool(url) or asks_for_keys(settings["auth.required"], status["binds"])
    key = own.key if own is not None else client_key(os.environ) or _kept(client, file)
    if model:
        _check_model(daemon, settings, model)
    address = url.rstrip("/") or address_of(status).url
    chosen = model or str(settings["claude.default_model"])
    return Wanted(address, key or (NO_KEY if needed else ANY_KEY), chosen, has_key=bool(key or needed))


def _check_url(url: str) -> None:
    """Raise UsageError if no client could call it: nobody else checks what is written into the client's settings."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.rstrip("/").endswith("/v1"):
        raise UsageError(f"cannot use the address {url!r}: write it as http://HOST:PORT/v1, or https://HOST/v1")


def _check_model(daemon: Daemon, settings: dict[str, Any], name: str) -> None:
    """Raise Problem if the gateway does not have it."""
    known = [str(row["id"]) for row in daemon.get("/v1/models")["models"]] + list(settings["claude.aliases"])
    if name.removesuffix(_LONG_CONTEXT) in known:
        return
    from difflib import get_close_matches

    hint = f"did you mean {near[0]!r}? " if (near := get_close_matches(name, known, 1)) else ""
    raise Problem(f"cannot use the model {name!r}: no such model; {hint}`claudegwctl models` lists them")


def asks_for_keys(required: object, binds: list[str]) -> bool:
    """Whether the gateway refuses requests without a key: `auth.required`, where "auto" depends on the binds."""
    if required != "auto":
        return bool(required)
    return not all(bind.startswith(("127.", "[::1]", "localhost:")) for bind in binds)


def _show(client: ClientProgram, to: Wanted, file: Path, *, as_json: bool, by_hand: bool = False) -> None:
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
        note(f"into {file}:" if by_hand else f"into {file} (--write does it for you):")
    say(text)


def _told(client: ClientProgram, change: FileChange, *, as_json: bool, dry: bool, key: str | None = None) -> None:
    """Print what is about to be written. `key` is a new key that the file does not contain."""
    from claudegwctl.connecting.writing import BACKUP_SUFFIX

    kept = f"{change.file}{BACKUP_SUFFIX}" if change.backup is not None else None
    if as_json:
        told = {"client": client.name, "file": str(change.file), "changed": not change.is_none, "backup": kept}
        say_json({**told, "dry_run": dry} | ({"key": key} if key else {}))
        return
    if change.is_none:
        say(f"{change.file} needs no changes")
        return
    for line in change.lines():
        say(coloured(line, _COLOURS[line[0]]) if line[:1] in _COLOURS else line)
    if kept and not dry:
        note(f"the original file is saved as {kept}")
