"""env.sh and the shell files on a real disk, and a real bash that starts with them."""

import os
import subprocess
from pathlib import Path

import pytest

from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.shell_files import apply_shell_files

KEY = UpstreamKey("a", "sk-false-1", "https://relay.example")
OTHER = UpstreamKey("b", "sk-false-2")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def env_path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "env.sh"


def new_shell(rc: Path) -> dict[str, str]:
    """The ANTHROPIC_ variables of a new interactive bash that reads ``rc``."""
    env = {"PATH": os.environ["PATH"], "HOME": str(rc.parent)}
    command = ["bash", "--rcfile", str(rc), "-i", "-c", "env"]
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True, start_new_session=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines() if line.startswith("ANTHROPIC_"))


def content(home: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in home.iterdir()}


def test_new_shells_have_the_current_key(home: Path, env_path: Path) -> None:
    rc = home / ".bashrc"
    rc.write_text("export ANTHROPIC_AUTH_TOKEN=sk-false-old\nexport ANTHROPIC_BASE_URL=https://old.example\n")
    (report,) = apply_shell_files(env_path, [str(rc)], KEY)
    assert (report.changed, report.commented, report.error) == (True, (1, 2), None)
    assert new_shell(rc) == {"ANTHROPIC_AUTH_TOKEN": "sk-false-1", "ANTHROPIC_BASE_URL": "https://relay.example"}
    apply_shell_files(env_path, [str(rc)], OTHER)
    assert new_shell(rc) == {"ANTHROPIC_AUTH_TOKEN": "sk-false-2"}


def test_the_token_is_in_env_sh_only(home: Path, env_path: Path) -> None:
    apply_shell_files(env_path, [str(home / ".bashrc")], KEY)
    assert b"sk-false-1" in env_path.read_bytes()
    assert env_path.stat().st_mode & 0o777 == 0o600
    assert env_path.parent.stat().st_mode & 0o777 == 0o700
    assert b"sk-false" not in (home / ".bashrc").read_bytes()


def test_an_env_sh_that_others_can_read_is_closed_again(home: Path, env_path: Path) -> None:
    apply_shell_files(env_path, [str(home / ".bashrc")], KEY)
    env_path.chmod(0o644)
    apply_shell_files(env_path, [str(home / ".bashrc")], KEY)
    assert env_path.stat().st_mode & 0o777 == 0o600


def test_written_only_on_change(home: Path, env_path: Path) -> None:
    names = [str(home / ".bashrc"), str(home / ".zshrc")]
    apply_shell_files(env_path, names, KEY)
    before = content(home) | content(env_path.parent)
    reports = apply_shell_files(env_path, names, KEY)
    assert [report.changed for report in reports] == [False, False]
    assert content(home) | content(env_path.parent) == before
    apply_shell_files(env_path, names, OTHER)
    assert content(home) == {name: row for name, row in before.items() if name.startswith((".bash", ".zsh"))}


def test_symlink_mode_and_owner_are_kept_and_one_backup_made(home: Path, env_path: Path, tmp_path: Path) -> None:
    owner = (65534, 65533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())  # only root can give files away
    real = tmp_path / "dotfiles-bashrc"
    real.write_text("alias x=y\n")
    real.chmod(0o640)
    os.chown(real, *owner)
    rc = home / ".bashrc"
    rc.symlink_to(real)
    (report,) = apply_shell_files(env_path, [str(rc)], KEY)
    assert rc.is_symlink()
    info = real.stat()
    assert (info.st_mode & 0o777, info.st_uid, info.st_gid) == (0o640, *owner)
    assert report.backup == home / ".bashrc.before-claudegwd"
    assert report.backup.read_text() == "alias x=y\n"
    assert report.backup.stat().st_mode & 0o777 == 0o600
    apply_shell_files(env_path, [], KEY)
    (report,) = apply_shell_files(env_path, [str(rc)], KEY)
    assert report.backup is None
    assert (home / ".bashrc.before-claudegwd").read_text() == "alias x=y\n"


def test_removing_the_setting_removes_the_block_also_after_a_restart(home: Path, env_path: Path) -> None:
    rc, zsh = home / ".bashrc", home / ".zshrc"
    for path in (rc, zsh):
        path.write_text("alias x=y\n")
    apply_shell_files(env_path, [str(rc), str(zsh)], KEY)
    reports = apply_shell_files(env_path, [str(zsh)], KEY)
    assert [(report.path, report.removed, report.changed) for report in reports] == [
        (rc, True, True),
        (zsh, False, False),
    ]
    assert rc.read_text() == "alias x=y\n"
    apply_shell_files(env_path, [], KEY)
    assert zsh.read_text() == "alias x=y\n"
    assert not env_path.exists()
    assert apply_shell_files(env_path, [], KEY) == []


def test_off_by_default_writes_nothing(env_path: Path) -> None:
    assert apply_shell_files(env_path, [], KEY) == []
    assert not env_path.parent.exists()


def test_a_home_that_is_gone_is_forgotten(home: Path, env_path: Path) -> None:
    apply_shell_files(env_path, [str(home / ".bashrc")], KEY)
    for path in home.iterdir():
        path.unlink()
    home.rmdir()
    (report,) = apply_shell_files(env_path, [], KEY)
    assert report.error is None
    assert not env_path.exists()


def test_a_block_that_cannot_be_removed_is_remembered(home: Path, env_path: Path) -> None:
    rc = home / ".bashrc"
    apply_shell_files(env_path, [str(rc)], KEY)
    whole = rc.read_bytes()
    rc.write_bytes(whole.rsplit(b"# <<<", 1)[0])
    (report,) = apply_shell_files(env_path, [], None)
    assert report.error is not None
    assert "by hand" in report.error
    rc.write_bytes(whole)
    apply_shell_files(env_path, [], None)
    assert rc.read_bytes() == b""
    assert not env_path.exists()


def test_one_bad_file_does_not_stop_the_others(home: Path, env_path: Path) -> None:
    (home / "folder").mkdir()
    (home / ".profile").touch()
    names = [
        "relative",
        str(home / "folder"),
        str(home / "no/such"),
        str(home / ".bash_profile"),
        str(home / ".bashrc"),
    ]
    reports = apply_shell_files(env_path, names, KEY)
    assert [report.error is None for report in reports] == [False, False, False, False, True]
    assert all((report.error or "cannot ").startswith("cannot ") for report in reports)
    assert "use .profile instead" in (reports[3].error or "")
    assert not (home / ".bash_profile").exists()


def test_tilde_is_home(home: Path, env_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (report,) = apply_shell_files(env_path, ["~/.bashrc"], KEY)
    assert report.path == home / ".bashrc"
    assert report.changed


def test_fish_has_its_own_words(home: Path, env_path: Path) -> None:
    (report,) = apply_shell_files(env_path, [str(home / "config.fish")], KEY)
    assert report.changed
    assert b"| source" in (home / "config.fish").read_bytes()


def test_no_key_leaves_new_shells_alone(home: Path, env_path: Path) -> None:
    rc = home / ".bashrc"
    apply_shell_files(env_path, [str(rc)], None)
    assert new_shell(rc) == {}
