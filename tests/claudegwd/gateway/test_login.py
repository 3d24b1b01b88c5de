"""The login that serves where no keys are configured."""

import json
import stat
import sys
from pathlib import Path

import pytest

from claudegwd.gateway.login import Login

linux = pytest.mark.skipif(sys.platform == "darwin", reason="a keychain may hold a login")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    directory = tmp_path / ".claude"
    directory.mkdir()
    return directory


@linux
def test_a_login_comes_changes_and_goes(tmp_path: Path, config: Path) -> None:
    login = Login({"HOME": str(tmp_path)})
    assert (login.name, login.found, login.changed()) == ("claude", False, False)
    file = config / ".credentials.json"
    for text in ("{}", '{"other": 1}'):
        file.write_text(text)
        assert (login.changed(), login.changed(), login.found) == (True, False, True)
    file.unlink()
    assert (login.changed(), login.found) == (True, False)


def test_without_a_home_there_is_no_login() -> None:
    login = Login({})
    assert (login.name, login.changed(), dict(login.env)) == ("claude", False, {})


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_VERTEX"])
def test_the_environment_and_the_users_settings_are_a_login_too(tmp_path: Path, config: Path, variable: str) -> None:
    assert Login({variable: "1"}).found
    login = Login({"HOME": str(tmp_path)})
    (config / "settings.json").write_text(json.dumps({"env": {variable: "1"}}))
    assert login.changed()
    assert (login.name, login.found, login.env[variable]) == (variable, True, "1")


def test_a_helper_is_a_login_and_goes_in_a_file_of_the_daemons_own(tmp_path: Path, config: Path) -> None:
    (config / "settings.json").write_text('{"apiKeyHelper": "echo sk-false-1", "hooks": {}}')
    login = Login({"CLAUDE_CONFIG_DIR": str(config)})
    assert (login.name, login.found) == ("apiKeyHelper", True)
    file = login.write_settings(tmp_path)
    assert file is not None
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ('{"apiKeyHelper": "echo sk-false-1"}', 0o600)
    assert Login({}).write_settings(tmp_path) is None
