"""Which login the CLI uses if no keys are configured: inspected from outside, never read, copied or refreshed."""

import sys
from collections.abc import Mapping
from pathlib import Path

from claudegwd.atomic import read_state
from claudegwd.claude_cli import launch
from claudegwd.claude_cli.user_settings import HELPER, UserSettings, read_user_settings

SETTINGS_MAX_BYTES = 1 << 20  # the CLI's settings.json is written by hand
_CREDENTIALS, _SETTINGS = ".credentials.json", "settings.json"


class Login:
    """The login of the daemon's user, as of the last check. `env` is the daemon's environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._directory = Path(launch.config_directory(env) or "/nonexistent")
        self.settings = self._read_settings()
        self._stamps = self._look()

    def changed(self) -> bool:
        """Check again. Returns whether it has changed."""
        before, self._stamps = self._stamps, self._look()
        if self._stamps == before:
            return False
        self.settings = self._read_settings()
        return True

    @property
    def name(self) -> str:
        """The variable, the helper in the user's settings, or launch.OWN_LOGIN."""
        login = launch.login_of(self.env)
        return HELPER if login == launch.OWN_LOGIN and self.settings.helper else login

    @property
    def env(self) -> Mapping[str, str]:
        """The environment that the CLI would have on its own."""
        return {**self._env, **self.settings.env}

    @property
    def found(self) -> bool:
        """Whether there is any login, or may be one."""
        return self.name != launch.OWN_LOGIN or self.may_be_in_keychain or self._stamps[0] is not None

    @property
    def may_be_in_keychain(self) -> bool:
        """Whether the CLI prefers a login in a keychain, which is not inspected, to one in a file."""
        return sys.platform == "darwin"

    def write_settings(self, directory: Path) -> Path | None:
        """The user's settings that the CLI should follow, as a file in this directory. Raises OSError."""
        text = self.settings.as_json()
        if not text:
            return None
        file = directory / _SETTINGS
        file.touch(0o600)
        file.write_text(text)
        return file

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        return self._stamp(_CREDENTIALS), self._stamp(_SETTINGS)

    def _stamp(self, name: str) -> tuple[int, ...] | None:
        try:
            stat = (self._directory / name).stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read_settings(self) -> UserSettings:
        try:
            state = read_state(self._directory / _SETTINGS, limit=SETTINGS_MAX_BYTES)
        except OSError:
            return UserSettings()
        return read_user_settings(state.data or b"")
