"""The daemon's configuration: `load` returns a `Loaded`, whose `config` is config.toml as frozen values."""

from claudegwd.config.binds import is_loopback, split_bind
from claudegwd.config.check import auth_required
from claudegwd.config.diff import SettingChange, diff, in_effect
from claudegwd.config.environment import Secrets
from claudegwd.config.load import Loaded, load
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import Config
from claudegwd.config.show import config_rows

__all__ = [
    "Config",
    "ConfigError",
    "Loaded",
    "Secrets",
    "SettingChange",
    "auth_required",
    "config_rows",
    "diff",
    "in_effect",
    "is_loopback",
    "load",
    "split_bind",
]
