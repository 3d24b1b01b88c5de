"""The configuration as `claudegwctl config show` prints it. Pure; the configuration holds no secrets, and gets none."""

from __future__ import annotations

from typing import Any

from claudegwd.config.environment import variable_of
from claudegwd.config.fields import KEYS, value_of
from claudegwd.config.load import Loaded
from claudegwd.config.schema import Config


def config_rows(loaded: Loaded, running: Config | None = None) -> list[dict[str, Any]]:
    """One row for each key: key, value, default, source ("default", "file" or a variable's name) and variable.

    `running` is what is in effect, where that differs from the file because a change still waits for a restart.
    """
    config = running if running is not None else loaded.config
    return [
        {
            "key": key,
            "value": _plain(value_of(config, key)),
            "default": _plain(field.default),
            "source": loaded.sources.get(key, "default"),
            "variable": variable_of(field),
        }
        for key, field in KEYS.items()
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
