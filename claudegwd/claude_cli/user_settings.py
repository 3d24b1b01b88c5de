"""What the user's own settings.json says about reaching and paying for the upstream. Pure.

The CLI is started without user settings: hooks, plugins and permissions have no place in a gateway. But if no keys are
configured, it has to pay as it would by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claudegwd.claude_cli.launch import reaches_upstream

HELPER = "apiKeyHelper"


@dataclass(frozen=True, slots=True)
class UserSettings:
    """`env`: the variables in it that the CLI may see. `helper`: the command that prints a key, "" for none."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    helper: str = field(default="", repr=False)

    def as_json(self) -> str:
        """The settings to start the CLI with; "" if there are none."""
        return json.dumps({HELPER: self.helper}) if self.helper else ""


def read_user_settings(data: bytes) -> UserSettings:
    """From the content of settings.json. Anything unreadable is ignored, as by the CLI itself."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return UserSettings()
    if not isinstance(found, dict):
        return UserSettings()
    env: Any = found.get("env")
    helper = found.get(HELPER)
    return UserSettings(
        {
            name: value
            for name, value in (env.items() if isinstance(env, dict) else ())
            if reaches_upstream(name) and isinstance(value, str) and value and "\0" not in value
        },
        helper if isinstance(helper, str) else "",
    )
