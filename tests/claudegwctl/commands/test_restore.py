from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl_without_daemon


def test_restoring_while_nothing_runs(nowhere: Path, tmp_path: Path) -> None:
    here = {
        "CONFIGURATION_DIRECTORY": str(tmp_path / "etc"), "STATE_DIRECTORY": str(tmp_path / "state"),
        "CREDENTIALS_DIRECTORY": "",
    }  # fmt: skip
    config = tmp_path / "etc" / "config.toml"
    config.parent.mkdir()
    config.write_text("# mine\n")
    words = ("--socket", str(nowhere))
    assert ctl_without_daemon(*words, "backup", str(tmp_path / "b.tar"), **here).status == 0
    config.write_text("# later\n")
    done = ctl_without_daemon(*words, "restore", str(tmp_path / "b.tar"), **here)
    assert (done.status, done.out) == (
        0,
        f"restored {config}; the previous one is saved as config.toml.before-restore\n",
    )
    assert config.read_text() == "# mine\n"
