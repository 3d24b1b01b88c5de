"""The configuration as `claudegwctl config show` prints it, without the one secret that it may contain. Pure."""

from __future__ import annotations

from typing import Any

from claudegwd.config.environment import variable_of
from claudegwd.config.fields import KEYS, value_of
from claudegwd.config.load import Loaded
from claudegwd.config.notify import without_secret
from claudegwd.config.schema import Config
from claudegwd.config.workspaces import WORKSPACE_KEYS


def config_rows(loaded: Loaded, running: Config | None = None) -> list[dict[str, Any]]:
    """One row per key: key, value, default, source ("default", "file" or a variable's name) and variable.

    `running` is what is in effect, if that differs from the file because a change is waiting for a restart.
    """
    config = running if running is not None else loaded.config
    rows = [
        {
            "key": key,
            "value": shown_value(key, value_of(config, key)),
            "default": shown_value(key, field.default),
            "source": loaded.sources.get(key, "default"),
            "variable": variable_of(field),
        }
        for key, field in KEYS.items()
    ]
    for name, workspace in config.workspaces.items():
        rows += [
            {
                "key": f"workspaces.{name}.{key}",
                "value": shown_value(key, getattr(workspace, key)),
                "default": shown_value(key, default),
                "source": "file" if getattr(workspace, key) != default else "default",
                "variable": "",
            }
            for key, (_, _, default) in WORKSPACE_KEYS.items()
        ]
    return rows


def shown_value(key: str, value: Any) -> Any:
    """A value of the configuration as JSON, in a form for people."""
    if key == "notify.url":
        return without_secret(value)
    return list(value) if isinstance(value, tuple) else value
