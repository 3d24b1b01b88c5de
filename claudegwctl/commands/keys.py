"""claudegwctl keys …"""

from __future__ import annotations

import shlex
import sys
import time
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from claudegwctl.client import SLOW_SECONDS, quoted
from claudegwctl.options import AsJson, daemon_of, names_of_keys, new_app, wants_json
from claudegwctl.output import ago, duration, note, say, say_json, table
from claudegwctl.problems import Problem, UsageError

app = new_app("Manage the upstream keys: the credentials for requests to Anthropic.", "claudegwctl keys list")

# Prefixes of tokens that the daemon knows how to send (claudegwd/keys/parse.py).
TELLING: Final = ("sk-ant-api", "sk-ant-oat")
_SENT: Final = {"auth_token": "as a Bearer token", "api_key": "as x-api-key"}
# A thousand keys are about 200 kB; an endless input would fill the memory.
MAX_IMPORT_CHARS: Final = 4 * 2**20

# Far more than any token; an endless input would fill the memory.
MAX_TOKEN_CHARS: Final = 2**20

KeyName = Annotated[str, typer.Argument(help="The key's name.", autocompletion=names_of_keys)]
Everywhere = Annotated[bool, typer.Option("--all", help="Do this on every machine that shares a store with this one.")]


class Kind(StrEnum):
    """How the token is sent."""

    AUTH_TOKEN = "auth_token"  # noqa: S105 - a name, not a token
    API_KEY = "api_key"


@app.command("list", epilog="Example: claudegwctl keys list")
def rows(ctx: typer.Context, json: AsJson = False) -> None:
    """List the upstream keys with their states. Only the last four characters of a token are shown."""
    found = daemon_of(ctx).get("/v1/keys")
    if wants_json(ctx, json):
        say_json(found)
        return
    if not found["keys"]:
        say("no keys: the login of the Claude Code CLI or the daemon's environment is used;")
        say("`claudegwctl keys add NAME` adds one")
        return
    now = time.time()
    heads = ("name", "state", "token", "requests", "last used", "last error")
    for line in table(heads, (_row(key, now) for key in found["keys"])):
        say(line)


def _row(key: dict[str, Any], now: float) -> tuple[object, ...]:
    state = key["state"]
    if key.get("cooling_until") is not None:
        state += f", {duration(key['cooling_until'] - now)}"
    if key.get("unanswered_since") is not None:
        state += ", no answer"
    if key.get("withheld"):
        state += " on all machines"
    tail = f"…{key['last_four']}" if key.get("last_four") else "…"
    return key["name"], state, tail, key.get("requests"), ago(key.get("last_used")), key.get("last_error")


@app.command("add", epilog="Example: claudegwctl keys add second < token.txt")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of your choice.")],
    base_url: Annotated[str | None, typer.Option(help="The upstream's address, if it is not Anthropic's.")] = None,
    kind: Annotated[
        Kind | None,
        typer.Option(
            help="How it is sent: as a Bearer token or as x-api-key. By default its prefix decides, or you are asked."
        ),
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Add it without using it yet.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing key of this name.")] = False,
    json: AsJson = False,
) -> None:
    """Add an upstream key. The token is asked for, or read from standard input; it is never an argument."""
    if not name:
        raise UsageError("cannot add a key: its name is empty")
    daemon = daemon_of(ctx)
    taken = any(key["name"] == name for key in daemon.get("/v1/keys")["keys"])  # checked before anybody types a token
    if taken and not replace:
        raise Problem(f"cannot add key {name!r}: that name is taken; remove the key first, or use --replace")
    body: dict[str, Any] = {"name": name, "token": _token(name), "replace": replace}
    telling = body["token"].startswith(TELLING)
    if kind is None and not telling and sys.stdin.isatty():
        kind = _kind_asked_for()
    if kind is not None:
        body["kind"] = kind.value
    if base_url is not None:
        body["base_url"] = base_url
    if disabled:
        body["status"] = "disabled"
    added = daemon.ask("POST", "/v1/keys", body)
    if wants_json(ctx, json):
        say_json(added)
    else:
        did, test = "replaced" if taken else "added", f"claudegwctl keys test {shlex.quote(added['name'])}"
        say(f"{did} {added['name']} ({added['state']}); `{test}` tests it")
        for line in added.get("notes", []):
            say(f"note: {line}")
    if kind is None and not telling:
        note(
            f"its prefix does not show how to send it; it is sent {_SENT[added['kind']]} (`claudegwctl keys add "
            f"{shlex.quote(name)} --replace --kind …` changes that)"
        )


@app.command("remove", epilog="Example: claudegwctl keys remove second")
def remove(ctx: typer.Context, name: KeyName, json: AsJson = False) -> None:
    """Remove an upstream key from keys.json. Running answers finish."""
    done = daemon_of(ctx).ask("DELETE", f"/v1/keys/{quoted(name)}")
    _tell(ctx, json, done, f"removed {name}")


@app.command("enable", epilog="Example: claudegwctl keys enable second")
def enable(ctx: typer.Context, name: KeyName, everywhere: Everywhere = False, json: AsJson = False) -> None:
    """Use a disabled key again."""
    _change(ctx, json, name, "active", everywhere=everywhere)


@app.command("disable", epilog="Example: claudegwctl keys disable second")
def disable(ctx: typer.Context, name: KeyName, everywhere: Everywhere = False, json: AsJson = False) -> None:
    """Disable a key: it is kept, but not used."""
    _change(ctx, json, name, "disabled", everywhere=everywhere)


@app.command("rename", epilog="Example: claudegwctl keys rename second home")
def rename(
    ctx: typer.Context,
    name: KeyName,
    to: Annotated[str, typer.Argument(help="Its new name.")],
    json: AsJson = False,
) -> None:
    """Give a key another name. Its position, state and counters stay; its usage so far is listed under the old name."""
    if not to:
        raise UsageError(f"cannot rename {name}: its new name is empty")
    done = daemon_of(ctx).ask("PATCH", f"/v1/keys/{quoted(name)}", {"name": to})
    _tell(ctx, json, done, f"{name} is now {done['name']}")


@app.command("test", epilog="Example: claudegwctl keys test second")
def try_out(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The key's name; if omitted, all are tested.", autocompletion=names_of_keys)
    ] = None,
    json: AsJson = False,
) -> None:
    """Test a key, or all of them, with one cheap question. A key that answers is used again."""
    daemon = daemon_of(ctx)
    names = [key["name"] for key in daemon.get("/v1/keys")["keys"]] if name is None else [name]
    if not names:
        raise Problem("cannot test: no keys are configured; add one with `claudegwctl keys add NAME`")
    results = []
    for each in names:
        results.append(result := daemon.ask("POST", f"/v1/keys/{quoted(each)}/test", seconds=SLOW_SECONDS))
        if not wants_json(ctx, json) and result["ok"]:
            say(f"{each} works ({duration_of(result)})")
        elif not wants_json(ctx, json) and name is None:
            say(f"{each} does not work: {_cause(result)}")
    if wants_json(ctx, json):
        say_json(results[0] if name is not None else {"keys": results})
    failed = [f"{result['name']}: {_cause(result)}" for result in results if not result["ok"]]
    if failed:
        raise Problem(f"cannot use key{'s' * (len(failed) > 1)} {', '.join(failed)}; see `claudegwctl logs`")


@app.command("import", epilog="Example: claudegwctl keys import ~/older-gateway/.env")
def bring_in(
    ctx: typer.Context,
    file: Annotated[
        typer.FileText,
        typer.Argument(help="A keys.json or .env file of an older gateway; - for stdin.", errors="surrogateescape"),
    ],
    json: AsJson = False,
) -> None:
    """Add the keys in a file, except those whose names already exist."""
    done = daemon_of(ctx).ask("POST", "/v1/keys/import", {"keys": entries(file.read(MAX_IMPORT_CHARS))})
    if wants_json(ctx, json):
        say_json(done)
        return
    say(f"added: {', '.join(done['added']) or 'none'}")
    if done["skipped"]:
        say(f"already present: {', '.join(done['skipped'])}")
    for line in done.get("notes", []):
        say(f"note: {line}")


def entries(text: str) -> list[Any]:
    """The entries in keys.json, in a bare list, or in the line CLAUDE_API_KEYS=… of an .env file."""
    import json

    text = text.removeprefix("\ufeff")  # a byte order mark, which some editors write
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == "CLAUDE_API_KEYS":
            text = value.strip().strip("'")
    try:
        found = json.loads(text)
        if isinstance(found, str):  # the value of an .env file in double quotes, with those inside escaped
            found = json.loads(found)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        found = found.get("claude_api_keys")
    if not isinstance(found, list):
        raise Problem(
            'cannot import: the file is not keys.json ({"claude_api_keys": […]}), a list, or an .env file with it'
        )
    return found


def _cause(result: dict[str, Any]) -> str:
    """Why a test failed, and until when if the upstream limits the key."""
    until = result.get("until")
    back = "" if until is None else f", until {time.strftime('%Y-%m-%d %H:%M', time.localtime(until))}"
    return f"{(result.get('error') or 'no answer').rstrip('.')}{back}"


def duration_of(result: dict[str, Any]) -> str:
    return f"{result.get('seconds', 0):.1f} s"


def _change(ctx: typer.Context, json: bool, name: str, status: str, *, everywhere: bool) -> None:
    body: dict[str, Any] = {"status": status, "all": True} if everywhere else {"status": status}
    done = daemon_of(ctx).ask("PATCH", f"/v1/keys/{quoted(name)}", body)
    where = " on all machines" if done.get("withheld") else ""
    _tell(ctx, json, done, f"{name} is {done['state']}{where}")


def _tell(ctx: typer.Context, json: bool, done: dict[str, Any], text: str) -> None:
    if wants_json(ctx, json):
        say_json(done)
    else:
        say(text)


def _kind_asked_for() -> Kind:
    kind: Kind = typer.prompt(
        "Its prefix does not show how to send it: as a Bearer token (auth_token) or as x-api-key (api_key)?",
        default=Kind.AUTH_TOKEN.value,
        value_proc=_kind,
        err=True,
    )
    return kind


def _kind(said: str) -> Kind:
    try:
        return Kind(said.strip())
    except ValueError:
        raise typer.BadParameter("enter auth_token or api_key") from None


def _token(name: str) -> str:
    if sys.stdin.isatty():
        import getpass

        token = getpass.getpass(f"Token of {name} (not shown): ")
    else:
        token, *others = [line for line in sys.stdin.read(MAX_TOKEN_CHARS).splitlines() if line.strip()] or [""]
        if others:
            raise Problem(f"cannot add {name}: the input has several lines; give one token, on one line")
    token = token.strip()
    if not token:
        raise Problem(f"cannot add {name}: no token given; type it, or pipe it in: `… < FILE`")
    return token
