"""claudegwctl cli …"""

from __future__ import annotations

import os
import time
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claudegwctl.client import SLOW_SECONDS, Daemon
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import ago, coloured, note, say, say_json, table
from claudegwctl.problems import NotRunning, Problem, Refused
from claudegwd.contract import NEWEST_CLI, PINNED_CLI, cli_directory, config_path, places_of

if TYPE_CHECKING:
    from claudegwctl.cli_life.store import Kept, Store

app = new_app("Fetch, try and switch versions of the Claude Code CLI.", "claudegwctl cli try newest")

SETTING: Final = "claude.version"
# Selects a CLI by its path. Choosing a version resets it.
PATH_SETTING: Final = "claude.binary"
# A process starts in half a second; on a machine that swaps, it takes longer.
WATCH_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.25
_DEFAULTS: Final = {SETTING: PINNED_CLI, PATH_SETTING: "auto"}
_READY: Final = frozenset({"spare", "idle", "busy", "parked"})

Version = Annotated[
    str, typer.Argument(help="A version such as 2.1.332, a release of claude-agent-sdk, or newest.", show_default=True)
]


@app.command("list", epilog="Example: claudegwctl cli list")
def rows(ctx: typer.Context, json: AsJson = False) -> None:
    """List the fetched versions, the one in use, and the one that claude.version names."""
    daemon = daemon_of(ctx)
    try:
        used = daemon.get("/v1/status").get("claude_binary")
    except NotRunning:
        used = None
    settings, kept = _settings(daemon), _store(daemon).all()
    named = str(settings[SETTING])
    if named == NEWEST_CLI:
        named = next((each.version for each in reversed(kept) if each.passed), "")
    found: list[dict[str, Any]] = [
        {"version": each.version, "release": each.record.get("release"), "passed": each.passed,
         "checked": each.record.get("checked"), "used": str(each.binary) == used, "named": each.version == named}
        for each in kept
    ]  # fmt: skip
    if wants_json(ctx, json):
        say_json({"used": used, "setting": settings[SETTING], "versions": found})
        return
    shown = [
        ("*" if row["used"] else "", row["version"], row["release"], _passed(row["passed"]), ago(row["checked"]),
         SETTING if row["named"] else "")
        for row in found
    ]  # fmt: skip
    for line in table(("", "version", "release", "check", "checked", "named by"), shown):
        say(line)
    if used is not None and not any(row["used"] for row in found):
        say(f"in use: {used}")
    say(_named(settings, found))


@app.command("try", epilog="Example: claudegwctl cli try newest")
def attempt(ctx: typer.Context, version: Version = "newest", json: AsJson = False) -> None:
    """Fetch a version and run the contract check against it. The gateway keeps using its own.

    It runs in a separate gateway against a scripted endpoint on this machine, so no account is used.
    Exit status 1 if it fails.
    """
    store = _store(daemon_of(ctx))
    as_json = wants_json(ctx, json)
    kept, verdicts = _tried(store, version, quiet=as_json)
    if as_json:
        say_json({"version": kept.version, "passed": kept.passed, "verdicts": verdicts})
    elif kept.passed:
        say(f"{kept.version} passed the contract check; `claudegwctl cli use {kept.version}` switches to it")
    if not kept.passed:
        raise typer.Exit(1)


@app.command("use", epilog="Example: claudegwctl cli use newest")
def use(ctx: typer.Context, version: Version, json: AsJson = False) -> None:
    """Use another version for new processes; running answers continue. It must pass the contract check first.

    "pinned" is the version that came with the gateway, "newest" is always the newest that has passed. If no process
    starts with it, the previous version is used again.
    """
    daemon, as_json = daemon_of(ctx), wants_json(ctx, json)
    before = _in_effect(daemon)
    chosen = version
    if version != PINNED_CLI:
        store = _store(daemon)
        kept = store.get(version)
        if kept is None or kept.passed is None:
            kept, _ = _tried(store, version, quiet=as_json)
        if not kept.passed:
            raise Problem(f"cannot use {kept.version}: it did not pass the contract check (`claudegwctl cli try`)")
        chosen = version if version == NEWEST_CLI else store.have(kept.version).version
    settings = {} if chosen == _DEFAULTS[SETTING] else {SETTING: chosen}
    _switch(daemon, settings, before)
    used = str(daemon.get("/v1/status").get("claude_version"))
    if as_json:
        say_json({"used": chosen, "claude_version": used, "before": before})
    elif settings == before:
        say(f"new processes already use {used}")
    else:
        say(f"new processes use {used}; `claudegwctl cli rollback` goes back")


@app.command("rollback", epilog="Example: claudegwctl cli rollback")
def rollback(ctx: typer.Context, json: AsJson = False) -> None:
    """Go back to the previous version."""
    daemon = daemon_of(ctx)
    place, now = _before(daemon), _in_effect(daemon)
    try:
        earlier = loads(place.read_text())
    except (OSError, ValueError):
        raise Problem("cannot go back: `claudegwctl cli use` has not been used here") from None
    _switch(daemon, earlier, now)
    used = str(daemon.get("/v1/status").get("claude_version"))
    if wants_json(ctx, json):
        say_json({"used": earlier, "claude_version": used, "before": now})
    else:
        say(f"new processes use {used}")


def _tried(store: Store, version: str, *, quiet: bool) -> tuple[Kept, list[dict[str, Any]]]:
    from claudegwctl.cli_life.trial import verdicts

    if not quiet and store.get(version) is None:
        note(f"fetching the Claude Code CLI ({version}) …")
    kept = store.have(version)
    found = []
    for verdict in verdicts(kept.binary):
        found.append(verdict)
        if not quiet:
            mark = coloured("FAILED  ", "red") if verdict.problem else coloured("ok      ", "green")
            say(f"{mark}{verdict.name:<14}{verdict.problem or verdict.says} ({verdict.seconds:.1f} s)")
    problems = [f"{each.name}: {each.problem}" for each in found if each.problem]
    return store.judge(kept, problems), [each.as_dict() for each in found]


def _switch(daemon: Daemon, settings: dict[str, str], before: dict[str, str]) -> None:
    """Write the settings, reload, and wait for a process to start. If none does, restore them. Raises Problem."""
    from claudegwctl import editing

    found = daemon.get("/v1/config")
    file, state = Path(found["path"]), _folder(daemon).parent
    for row in found["settings"]:
        if row["key"] in {SETTING, PATH_SETTING} and row["source"] not in {"default", "file"}:
            raise Problem(f"cannot change the version: {row['source']} in the daemon's environment sets {row['key']}")
    old = ""

    def switched(text: str) -> str:
        nonlocal old
        old = text
        return _with(text, settings)

    new, _ = editing.change(file, switched, state)

    def put_back() -> None:
        editing.change(file, lambda text: old if text == new else _with(text, before), state)

    there = {row["pid"] for row in daemon.get("/v1/workers")["workers"]}
    used = daemon.get("/v1/status").get("claude_binary")
    try:
        daemon.ask("POST", "/v1/reload", seconds=SLOW_SECONDS)
    except Refused as refused:
        put_back()
        raise Problem(f"{refused}; the previous one stays in use") from None
    if daemon.get("/v1/status").get("claude_binary") != used and not _starts(daemon, there):
        put_back()
        daemon.ask("POST", "/v1/reload", seconds=SLOW_SECONDS)
        _recovers(daemon)
        raise Problem("cannot use it: no process started with it; the previous one is in use again")
    if settings != before:
        _before(daemon).parent.mkdir(parents=True, exist_ok=True)
        _before(daemon).write_text(dumps(before))


def _with(text: str, settings: dict[str, str]) -> str:
    """The configuration's text with the version set by these settings and no others."""
    from claudegwctl import editing

    for key in (SETTING, PATH_SETTING):
        text = editing.without_setting(text, key)
    for key, value in settings.items():
        if value != _DEFAULTS[key]:
            text = editing.with_setting(text, key, f'"{value}"')
    return text


def _starts(daemon: Daemon, there: set[int]) -> bool:
    """Whether a process that was not `there` is ready within WATCH_SECONDS. True without spares: none would start."""
    rows = daemon.get("/v1/config")["settings"]
    if not next(row["value"] for row in rows if row["key"] == "workers.spares"):
        return True
    until = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < until:
        for row in daemon.get("/v1/workers")["workers"]:
            if row["state"] in _READY and row["pid"] not in there:
                return True
        if daemon.get("/v1/status").get("problem"):
            return False
        time.sleep(_LOOK_SECONDS)
    return False


def _recovers(daemon: Daemon) -> None:
    """Wait until the daemon no longer reports the failure: until then it refuses requests."""
    until = time.monotonic() + WATCH_SECONDS
    while daemon.get("/v1/status").get("problem") and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)


def _store(daemon: Daemon) -> Store:
    from claudegwctl.cli_life.store import Store

    return Store(_folder(daemon))


def _before(daemon: Daemon) -> Path:
    return _folder(daemon) / "before"


def _folder(daemon: Daemon) -> Path:
    """Where the daemon keeps its CLIs; if none is running, where a daemon started by you would look."""
    try:
        state = daemon.get("/v1/status").get("state_file")
    except NotRunning:
        return cli_directory(places_of(os.environ, os.geteuid()))
    if not state:
        raise Problem("cannot keep a CLI: this gateway has no state directory; see `claudegwctl doctor`")
    return Path(state).parent / cli_directory(os.environ).name


def _in_effect(daemon: Daemon) -> dict[str, str]:
    """The settings that select the CLI, without those at their defaults."""
    rows = {row["key"]: str(row["value"]) for row in daemon.get("/v1/config")["settings"]}
    return {key: rows[key] for key, default in _DEFAULTS.items() if rows[key] != default}


def _settings(daemon: Daemon) -> dict[str, str]:
    """The two settings that select the CLI: those of the running daemon, else those in the file."""
    from claudegwctl.checks.finding import read_settings

    try:
        rows = daemon.get("/v1/config")["settings"]
        return {row["key"]: str(row["value"]) for row in rows if row["key"] in _DEFAULTS}
    except NotRunning:
        env = places_of(os.environ, os.geteuid())
        written = read_settings(config_path(env)[0], env)
        return {key: str(written.get(key, default)) for key, default in _DEFAULTS.items()}


def _named(settings: dict[str, str], rows: list[dict[str, Any]]) -> str:
    """What the settings select, for people."""
    version, path = settings[SETTING], settings[PATH_SETTING]
    if path != _DEFAULTS[PATH_SETTING]:
        return f"{PATH_SETTING} is {path}, and overrides any version"
    says = f'{SETTING} is "{version}"'
    if version == PINNED_CLI:
        return f"{says}: the one that came with the gateway"
    if version == NEWEST_CLI:
        return f"{says}: the newest of those that passed and the one that came with the gateway"
    if not any(row["named"] for row in rows):
        return f"{says}, which has not been fetched: `claudegwctl cli try {version}` fetches it"
    return says


def _passed(passed: bool | None) -> str:
    return {True: "passed", False: "failed", None: "not checked"}[passed]
