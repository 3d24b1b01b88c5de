"""Changes of a running gateway: configuration, keys, shell files. Checked whole before anything is taken."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import trio

from claudegwd import contract
from claudegwd.config.check import auth_required
from claudegwd.config.diff import diff, in_effect
from claudegwd.config.load import Loaded, load
from claudegwd.gateway import Gateway, limits_of
from claudegwd.keys.answers import KeysDiff, UnknownKey
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.file import KeysSource, load_keys
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.parse import KeysError, with_status
from claudegwd.keys.ring import KeyRing
from claudegwd.keys.shell_files import apply_shell_files
from claudegwd.limits.clients import ANONYMOUS, configured_clients
from claudegwd.logs import LogHandler, log
from claudegwd.logs import event as log_event
from claudegwd.openai_api.chat_request import parse_chat_request
from claudegwd.openai_api.errors import GatewayError
from claudegwd.redact import know_tokens
from claudegwd.workers.binary import find_binary
from claudegwd.workers.question import Question, Questions

Result = TypeVar("Result")

# The cheapest question that shows whether a key works.
_TEST_BODY = b'{"model":"%s","max_tokens":16,"messages":[{"role":"user","content":"Say OK."}]}'

# How often the ring is looked at for a new current key, and with keys.watch the keys file for a change.
FOLLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Read:
    loaded: Loaded
    keys: KeysSource
    binary: Path


class RunningGateway(Gateway):
    """The gateway with what the control face may change of it."""

    handler: LogHandler
    config_option: Path | None = None  # --config, to read the same file again
    fixed_keys: KeysSource | None = None  # the demo's, which come from no file

    def status(self) -> dict[str, Any]:
        """What `claudegwctl status` shows. No token, no content."""
        return {**super().status(), "log_lines_lost": self.handler.lost}

    async def check(self) -> Mapping[str, Any]:
        """What `reload` would answer, changing nothing. Raises ConfigError, KeysError or NoCliError."""
        async with self.changing:
            read = await trio.to_thread.run_sync(self._read)
            if read.binary == self.binary:  # what another one offers only a reload finds out
                self.check_models(read.loaded, self.cli)
            return self._answer(read, _keys_diff(self.keys_source, read.keys))

    async def reload(self) -> Mapping[str, Any]:
        """Read configuration and keys again and take them at once; what changed. On an error all is as it was."""
        async with self.changing:
            try:
                read = await trio.to_thread.run_sync(self._read)
                cli = await self.learn(read.binary, read.loaded)
            except Exception as error:
                self.last_reload = {"at": time.time(), "ok": False, "error": str(error)}
                raise
            answer = self._answer(read, _keys_diff(self.keys_source, read.keys))
            self._take(read)
            if cli is not self.cli:
                self.take_cli(cli)
            self.generation += 1
            answer["generation"] = self.generation
            self.last_reload = {"at": time.time(), "ok": True}
        log_event(
            log,
            logging.INFO,
            "the configuration was reloaded",
            generation=answer["generation"],
            changed=len(answer["changes"]),
        )
        await self.write_shell_files()
        return answer

    async def reload_keys(self) -> KeysDiff:
        """Read only the keys again, and take them at once. Raises KeysError, and then all is as it was."""
        async with self.changing:
            changed = await self._reload_keys()
        await self.write_shell_files()
        return changed

    async def edit_keys(self, edit: Callable[[Path], Result]) -> Result:
        """Change the keys file by `edit`, in a thread, and take what is there then; what `edit` gave. Raises KeysError.

        Once begun it goes on to its end, also where nobody waits for it any more: what is in the file must be in use.
        """
        async with self.changing:
            source = self.keys_source
            if source.path is None:
                raise KeysError(
                    f"cannot change the keys: they come from {source.origin}, which the daemon does not write",
                    origin=source.origin,
                )
            with trio.CancelScope(shield=True):
                done = await trio.to_thread.run_sync(edit, source.path)
                await self._reload_keys()
        await self.write_shell_files()
        return done

    async def _reload_keys(self) -> KeysDiff:
        return self._take_keys(await trio.to_thread.run_sync(self._read_keys, self.loaded))

    async def test_key(self, name: str) -> Mapping[str, Any]:
        """Ask one cheap question under this key; an answer clears what stood against it. Raises UnknownKey."""
        key = next((key for key in self.keys_source.keys if key.name == name), None)
        if key is None:
            raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")
        started = time.monotonic()
        error = await self._ask_under(key)
        if error is None:
            self.ring.clear(name)
        log_event(
            log, logging.INFO if error is None else logging.WARNING, "an upstream key was tested", key=name,
            reason=error or "it answered",
        )  # fmt: skip
        rows = {row["name"]: row["state"] for row in self.ring.snapshot(time.time())}
        seconds = round(time.monotonic() - started, 3)
        return {"name": name, "ok": error is None, "state": rows.get(name), "error": error, "seconds": seconds}

    async def write_shell_files(self) -> None:
        """Bring env.sh and the shell files to the current key. A file that cannot be written is logged."""
        if len(self.ring) and self.ring.active is None:
            return  # every key is down: new shells keep the last one rather than none
        directory = self.loaded.path.parent
        files = self.config.keys.shell_files
        try:
            reports = await trio.to_thread.run_sync(apply_shell_files, directory / "env.sh", files, self.ring.active)
        except OSError as error:
            log_event(log, logging.ERROR, "the shell file of the current key cannot be written", problem=str(error))
            return
        for report in reports:
            if report.error:
                log_event(log, logging.WARNING, "a shell file was left alone", problem=report.error)
            elif report.changed:
                log_event(log, logging.INFO, "a shell file was changed", file=str(report.path))
            if report.commented:
                log_event(
                    log,
                    logging.WARNING,
                    "lines of an older gateway in a shell file were commented out",
                    file=str(report.path),
                    count=len(report.commented),
                )

    async def follow_keys(self) -> None:
        """For ever: new shells get the key that requests go out under; with keys.watch, keys.json is read on change."""
        shown, taken = self.ring.active, self._keys_stamp()
        seen = taken
        await self.write_shell_files()  # also takes out what a setting removed while we were stopped has left
        while True:
            await trio.sleep(FOLLOW_SECONDS)
            self.look_at_login()
            if self.ring.active != shown:
                shown = self.ring.active
                await self.write_shell_files()
            before, seen = seen, self._keys_stamp()
            # Twice the same: an editor that empties the file before it writes would take all keys away for a moment.
            if self.config.keys.watch and before == seen != taken:
                taken = seen
                await self._reload_changed_keys()

    async def _reload_changed_keys(self) -> None:
        try:
            changed = await self.reload_keys()
        except KeysError as error:
            log_event(log, logging.ERROR, "the changed keys file was not taken", problem=str(error))
        else:
            count = len(changed.added) + len(changed.removed) + len(changed.changed)
            log_event(log, logging.INFO, "the changed keys file was taken", changed=count)

    def _keys_stamp(self) -> tuple[int, ...] | None:
        try:
            stat = Path(self.keys_source.origin).stat()
        except OSError:
            return None
        # With what a chmod changes: a file that was refused for its mode is taken when that is mended.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode, stat.st_size, stat.st_ino

    # -- within -------------------------------------------------------------------------------------------------------

    def _read(self) -> _Read:
        loaded = load(self.config_option, self.env)
        # Where the new configuration would listen says nothing of where we do, until a restart.
        auth_required(in_effect(self.config, loaded.config), self.binds)
        return _Read(loaded, self._read_keys(loaded), find_binary(loaded.config.claude, self.env))

    def _read_keys(self, loaded: Loaded) -> KeysSource:
        if self.fixed_keys is not None:
            return self.fixed_keys
        setting = loaded.config.keys.file
        found = load_keys(contract.keys_path(self.env, loaded.path, setting), self.env, required=bool(setting))
        if not (found.blank and self.keys_source.keys):
            return found
        # An editor, or a disk that is full, empties files by accident, and somebody else's login would pay.
        note = (
            f"{found.origin} is empty or gone: the keys that were read before stay in use; to go on without any, "
            'write {"claude_api_keys": []} into it'
        )
        return replace(self.keys_source, notes=(note,))

    def _answer(self, read: _Read, keys: KeysDiff) -> dict[str, Any]:
        changes = [change.as_dict() for change in diff(self.config, read.loaded.config)]
        return {
            "generation": self.generation,
            "changes": changes,
            "keys": {"added": keys.added, "removed": keys.removed, "changed": keys.changed},
            "warnings": [*read.loaded.warnings, *read.keys.notes],
        }

    def _take(self, read: _Read) -> None:
        config = in_effect(self.config, read.loaded.config)
        self.loaded = read.loaded
        self.config = config
        self.ring.cooldown_seconds = config.keys.cooldown_seconds
        self.ring.by_headroom = config.keys.order == "headroom"
        self.configure_pool()
        self.questions.configure(config.limits, config.keys.hold_seconds)
        self.clients.book.configure(configured_clients(read.loaded.secrets.api_keys), limits_of(config))
        self.handler.configure(config.log)
        self.responses.keep_seconds = config.responses.keep_seconds
        self.response_files.configure(wanted=config.responses.keep == "disk")
        self.notifications.configure(config.notify)
        self.offer_models()
        self._take_keys(read.keys)

    def _take_keys(self, keys: KeysSource) -> KeysDiff:
        know_tokens(key.token for key in keys.keys)
        for note in keys.notes:
            log_event(log, logging.WARNING, "a note on the keys", problem=note)
        had = len(self.ring) > 0
        self.keys_source = keys
        changed = self.ring.replace(keys.keys, time.time())
        if had != (len(self.ring) > 0):
            self.configure_pool()
            self.pool.renew()  # with keys the CLI is started another way than with its own login
        return changed

    async def _ask_under(self, key: UpstreamKey) -> str | None:
        ring = _Trial(key, self.ring)
        timing = replace(self.questions.timing, hold=0.0)  # a limited key is an answer, not a reason to wait
        questions = Questions(self.pool, ring, timing, time.time, self.questions.nursery)
        wanted = parse_chat_request(_TEST_BODY % self.config.claude.default_model.encode(), self.bounds)
        question: Question = questions.ask(self.plan(wanted, ANONYMOUS), f"test-{key.name}")
        try:
            await question.first()
        except GatewayError as error:
            return ring.cause or error.code or FailureKind.CLI.value
        finally:
            question.close()
        return None


class _Trial(KeyRing):
    """Only the key that is tested, whatever its state. What it fails by, the ring of all keys is told."""

    def __init__(self, key: UpstreamKey, ring: KeyRing) -> None:
        super().__init__([with_status(key, KeyStatus.ACTIVE)], cooldown_seconds=ring.cooldown_seconds)
        self.cause = ""
        self._ring = ring

    def failed(
        self,
        name: str,
        kind: FailureKind,
        now: float,
        *,
        model: str | None = None,
        reset_at: float | None = None,
        error: str = "",
        digest: str | None = None,
    ) -> None:
        self.cause = error or kind.value
        super().failed(name, kind, now, model=model, reset_at=reset_at, error=error)
        self._ring.failed(name, kind, now, model=model, reset_at=reset_at, error=error, digest=digest)


def _keys_diff(old: KeysSource, new: KeysSource) -> KeysDiff:
    before = {key.name: key for key in old.keys}
    after = {key.name: key for key in new.keys}
    return KeysDiff(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name in before and after[name] != before[name]),
    )
