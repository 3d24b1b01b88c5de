"""Changes to a running gateway: configuration, keys, shell files. Everything is checked before anything is applied."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trio

from claudegwd import contract
from claudegwd.config.check import auth_required
from claudegwd.config.diff import diff, in_effect
from claudegwd.config.load import Loaded, load
from claudegwd.gateway.gateway import Gateway, limits_of
from claudegwd.gateway.key_trial import try_key
from claudegwd.gateway.offered_models import check_models, note_models
from claudegwd.gateway.shells import write_shell_files
from claudegwd.keys.answers import KeysDiff
from claudegwd.keys.file import KeysEdit, KeysSource, load_keys
from claudegwd.keys.parse import KeysError
from claudegwd.limits.clients import configured_clients
from claudegwd.logs import LogHandler, log
from claudegwd.logs import event as log_event
from claudegwd.redact import know_tokens
from claudegwd.workers.cli.binary import find_binary

# How often the ring is checked for a new current key, and with keys.watch the keys file for changes.
FOLLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Read:
    loaded: Loaded
    keys: KeysSource
    binary: Path


class Reloader:
    """Changes what is in effect in a gateway.

    `loaded` is what was read last; it differs from the gateway's configuration in what needs a restart. `config_option`
    is --config, to read the same file again; `fixed_keys` are the demo's, which come from no file.
    """

    def __init__(
        self,
        gateway: Gateway,
        loaded: Loaded,
        handler: LogHandler,
        *,
        config_option: Path | None = None,
        fixed_keys: KeysSource | None = None,
    ) -> None:
        self.loaded = loaded
        self.generation = 1
        self.last_reload: dict[str, Any] | None = None
        self.gateway = gateway
        self._handler = handler
        self._config_option = config_option
        self._fixed_keys = fixed_keys
        # Held while reading and applying: otherwise what was read first could be applied last, and win.
        self._changing = trio.Lock()
        self._telling = trio.Lock()  # of two keys, the one that was written last would not be the newer one

    def status(self) -> dict[str, Any]:
        """Its part of `claudegwctl status`. No token."""
        return {
            "config_generation": self.generation,
            "last_reload": self.last_reload,
            "log_lines_lost": self._handler.lost,
        }

    async def check(self) -> Mapping[str, Any]:
        """What `reload` would return, without changing anything. Raises ConfigError, KeysError or NoCliError."""
        async with self._changing:
            read = await trio.to_thread.run_sync(self._read)
            cli = self.gateway.launcher.cli
            # Only a reload asks a new CLI for its models.
            models = check_models(read.loaded, cli.initialized) if read.binary == cli.binary else ()
            return self._answer(read, KeysDiff.between(self.gateway.keys_source.keys, read.keys.keys), models)

    async def reload(self) -> Mapping[str, Any]:
        """Read and apply configuration and keys again; returns what changed. On an error, nothing changes."""
        async with self._changing:
            try:
                read = await trio.to_thread.run_sync(self._read)
                cli = await self.gateway.launcher.learn(read.binary)
                models = note_models(read.loaded, cli.initialized)
            except Exception as error:
                self.last_reload = {"at": time.time(), "ok": False, "error": str(error)}
                raise
            answer = self._answer(read, KeysDiff.between(self.gateway.keys_source.keys, read.keys.keys), models)
            self._take(read)
            if cli is not self.gateway.launcher.cli:
                self.gateway.take_cli(cli)
            self.generation += 1
            answer["generation"] = self.generation
            self.last_reload = {"at": time.time(), "ok": True}
            text, changed = "the configuration was reloaded", len(answer["changes"])
            log_event(log, logging.INFO, text, generation=self.generation, changed=changed)
            with trio.CancelScope(shield=True):  # it is in effect, and its caller reports it, even if cancelled
                await self.gateway.workspaces.learn(self.gateway.config.workspaces)
        await self._tell_shells()
        return answer

    async def reload_keys(self) -> KeysDiff:
        """Read and apply only the keys again. Raises KeysError, and then nothing changes."""
        async with self._changing:
            changed = self._take_keys(await trio.to_thread.run_sync(self._read_keys, self.loaded))
        await self._tell_shells()
        return changed

    async def edit_keys(self, edit: Callable[[Path], KeysEdit]) -> KeysEdit:
        """Change the keys file with `edit`, in a thread, and apply the result. Raises KeysError, KeysReadOnly.

        Once begun, it always completes, even if its caller is cancelled: what is in the file must be in use.
        """
        async with self._changing:
            path = self.gateway.keys_source.to_edit()
            with trio.CancelScope(shield=True):
                done = await trio.to_thread.run_sync(edit, path)
                self._take_keys(done.source)
        await self._tell_shells()
        return done

    async def test_key(self, name: str) -> Mapping[str, Any]:
        """Ask one cheap question with this key; an answer clears its failures. Raises UnknownKey."""
        return await try_key(self.gateway, name)

    async def follow_keys(self) -> None:
        """Forever: give new shells the key that requests use; with keys.watch, read keys.json when it changes."""
        shown, taken = self.gateway.ring.active, self._keys_stamp()
        seen = taken
        await self._tell_shells()  # also removes what is left of a setting that was removed while we were stopped
        while True:
            await trio.sleep(FOLLOW_SECONDS)
            self.gateway.look_at_login()
            if self.gateway.ring.active != shown:
                shown = self.gateway.ring.active
                await self._tell_shells()
            before, seen = seen, self._keys_stamp()
            # Seen twice: an editor that truncates the file before writing would remove all keys for a moment.
            if self.gateway.config.keys.watch and before == seen != taken:
                taken = seen
                await self._reload_changed_keys()

    async def _reload_changed_keys(self) -> None:
        try:
            changed = await self.reload_keys()
        except KeysError as error:
            log_event(log, logging.ERROR, "the changed keys file was rejected", problem=str(error))
        else:
            count = len(changed.added) + len(changed.removed) + len(changed.changed)
            log_event(log, logging.INFO, "the changed keys file was loaded", changed=count)

    def _keys_stamp(self) -> tuple[int, ...] | None:
        try:
            stat = Path(self.gateway.keys_source.origin).stat()
        except OSError:
            return None
        # Includes what a chmod changes: a file that was refused for its mode is read again once that is fixed.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode, stat.st_size, stat.st_ino

    async def _tell_shells(self) -> None:
        # Shielded, so that a caller that has changed something still reports it, even if cancelled.
        with trio.CancelScope(shield=True):
            async with self._telling:
                await write_shell_files(self.gateway, self.loaded.path.parent)

    # -- within -------------------------------------------------------------------------------------------------------

    def _read(self) -> _Read:
        loaded = load(self._config_option, self.gateway.launcher.env)
        # Where the new configuration would listen does not matter until a restart.
        auth_required(in_effect(self.gateway.config, loaded.config), self.gateway.life.binds)
        return _Read(loaded, self._read_keys(loaded), find_binary(loaded.config.claude, self.gateway.launcher.env))

    def _read_keys(self, loaded: Loaded) -> KeysSource:
        if self._fixed_keys is not None:
            return self._fixed_keys
        setting = loaded.config.keys.file
        env = self.gateway.launcher.env
        found = load_keys(contract.keys_path(env, loaded.path, setting), env, required=bool(setting))
        if not (found.blank and self.gateway.keys_source.keys):
            return found
        # Editors and full disks empty files by accident, and then the CLI's login would pay.
        note = (
            f"{found.origin} is empty or missing: the keys read before stay in use; to use none, "
            'put {"claude_api_keys": []} in it'
        )
        return replace(self.gateway.keys_source, notes=(note,))

    def _answer(self, read: _Read, keys: KeysDiff, models: Sequence[str]) -> dict[str, Any]:
        changes = [change.as_dict() for change in diff(self.gateway.config, read.loaded.config)]
        return {
            "generation": self.generation,
            "changes": changes,
            "keys": {"added": keys.added, "removed": keys.removed, "changed": keys.changed},
            "warnings": [*read.loaded.warnings, *models, *read.keys.notes],
        }

    def _take(self, read: _Read) -> None:
        config = in_effect(self.gateway.config, read.loaded.config)
        self.loaded = read.loaded
        self.gateway.configure(config)
        self.gateway.clients.book.configure(configured_clients(read.loaded.secrets.api_keys), limits_of(config))
        self._handler.configure(config.log)
        self.gateway.responses.kept.keep_seconds = config.responses.keep_seconds
        self.gateway.responses.files.configure(wanted=config.responses.keep == "disk")
        self._take_keys(read.keys)

    def _take_keys(self, keys: KeysSource) -> KeysDiff:
        know_tokens(key.token for key in keys.keys)
        for note in keys.notes:
            log_event(log, logging.WARNING, "a note on the keys", problem=note)
        had = len(self.gateway.ring) > 0
        self.gateway.keys_source = keys
        changed = self.gateway.ring.replace(keys.keys, time.time())
        if had != (len(self.gateway.ring) > 0):
            self.gateway.configure_pool()
            self.gateway.pool.renew()  # the CLI is started differently with keys than with its own login
        return changed
