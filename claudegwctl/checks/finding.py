"""What a check reports, and what the checks look at."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claudegwd.contract import SYSTEM_CONFIGURATION, SYSTEM_CREDENTIAL, SYSTEM_SOCKET

OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was checked, the result, and, if that is not OK, how to fix it."""

    about: str
    level: str
    says: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"about": self.about, "level": self.level, "says": self.says, "mend": self.mend}


@dataclass
class Scene:
    """What the checks look at. While the daemon is running, `status` and `settings` come from it; otherwise `status` is
    None, and the settings come from the file and the environment, unvalidated."""

    env: Mapping[str, str]
    socket: Path
    config_file: Path
    status: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    credential: Path = SYSTEM_CREDENTIAL

    @property
    def is_system_service(self) -> bool:
        """Whether this is about the system service, also while it is not running."""
        return self.socket == SYSTEM_SOCKET or self.config_file.parent == SYSTEM_CONFIGURATION

    @property
    def binds(self) -> list[str]:
        if self.status is not None:
            return list(self.status.get("binds") or [])
        found = self.settings.get("server.bind", ["127.0.0.1:8000"])
        return [str(each) for each in found] if isinstance(found, list) else []


def read_settings(file: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """The settings by "section.name", as far as they can be read. Only the daemon validates them."""
    flat: dict[str, Any] = {}
    try:
        data = tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError):
        data = {}
    for section, keys in data.items():
        if isinstance(keys, dict):
            flat |= {f"{section}.{name}": value for name, value in keys.items()}
    flat |= dict(_from_environment(env))
    return flat


def _from_environment(env: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    if binary := env.get("CLAUDEGWD_CLAUDE__BINARY") or env.get("CLAUDE_BINARY_PATH"):
        yield "claude.binary", binary
    if version := env.get("CLAUDEGWD_CLAUDE__VERSION"):
        yield "claude.version", version
    if file := env.get("CLAUDEGWD_KEYS__FILE"):
        yield "keys.file", file
    if bind := env.get("CLAUDEGWD_SERVER__BIND"):
        yield "server.bind", _list(bind)


def _list(text: str) -> list[str]:
    """A list separated by commas or in JSON, which also begins with a bracket if an IPv6 address does."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return list(map(str, found)) if isinstance(found, list) else [each.strip() for each in text.split(",")]


def is_mine(uid: int) -> bool:
    return uid in {os.geteuid(), 0}
