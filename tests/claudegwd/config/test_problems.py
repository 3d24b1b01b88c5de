from __future__ import annotations

from claudegwd.config.problems import ConfigError


def test_the_text_names_file_and_key() -> None:
    error = ConfigError("/etc/config.toml", "log.level", 'must be "debug"')
    assert str(error) == 'cannot use /etc/config.toml: log.level must be "debug"'
    assert (error.file, error.key, error.message) == ("/etc/config.toml", "log.level", 'must be "debug"')


def test_the_file_as_a_whole() -> None:
    assert str(ConfigError("x", "", "because it is empty")) == "cannot use x: because it is empty"
