"""What a reload changes, and which changes need a restart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from claudegwd.config.fields import KEYS, value_of
from claudegwd.config.notify import without_secret
from claudegwd.config.schema import Config, WorkspaceConfig

# These belong to listeners that are already open, perhaps by systemd: only a new start opens others. Or to a store
# whose counts are in use.
NEEDS_RESTART: Final = frozenset(
    {
        "server.bind",
        "control.socket",
        "control.group",
        "shared.url",
        "shared.password_file",
        "shared.secret_file",
        "shared.ca_file",
        "shared.local_share",
        "shared.machine",
    }
)


@dataclass(frozen=True)
class SettingChange:
    """A key whose value changed."""

    key: str
    old: Any
    new: Any

    @property
    def needs_restart(self) -> bool:
        return self.key in NEEDS_RESTART

    def as_dict(self) -> dict[str, Any]:
        old, new = (_seen(self.key, value) for value in (self.old, self.new))
        return {"key": self.key, "old": old, "new": new, "needs_restart": self.needs_restart}


def _seen(key: str, value: Any) -> Any:
    return without_secret(value) if key == "notify.url" else value


def diff(old: Config, new: Config) -> tuple[SettingChange, ...]:
    """The keys whose values differ, in the order of config.toml."""
    pairs = ((key, value_of(old, key), value_of(new, key)) for key in KEYS)
    found = [SettingChange(key, before, after) for key, before, after in pairs if before != after]
    for name in dict.fromkeys((*old.workspaces, *new.workspaces)):
        before, after = old.workspaces.get(name), new.workspaces.get(name)
        if before != after:
            found.append(SettingChange(f"workspaces.{name}", _plain(before), _plain(after)))
    return tuple(found)


def _plain(workspace: WorkspaceConfig | None) -> dict[str, Any] | None:
    return None if workspace is None else msgspec.to_builtins(workspace)


def in_effect(old: Config, new: Config) -> Config:
    """`new`, but the keys that need a restart as in `old`: what a running daemon actually uses."""
    replaced: dict[str, dict[str, Any]] = {}
    for key in NEEDS_RESTART:
        section, name = key.split(".")
        replaced.setdefault(section, {})[name] = value_of(old, key)
    sections = {
        section: msgspec.structs.replace(getattr(new, section), **values) for section, values in replaced.items()
    }
    return msgspec.structs.replace(new, **sections)
