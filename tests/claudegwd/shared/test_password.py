from __future__ import annotations

import logging
from pathlib import Path

import pytest

from claudegwd.redact import redact
from claudegwd.shared.password import read_password
from claudegwd.shared.store import StoreUnfitError

PASSWORD = "false-password-of-the-store"


def written(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_a_file_beside_the_configuration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path / "pw", f"{PASSWORD}\n".encode())
    assert read_password({}, tmp_path / "config.toml", "pw") == PASSWORD
    assert PASSWORD not in redact(f"it is {PASSWORD}")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_credential_of_systemds(tmp_path: Path) -> None:
    written(tmp_path / "shared-password", PASSWORD.encode(), 0o440)
    assert read_password({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path / "config.toml", "") == PASSWORD


def test_none(tmp_path: Path) -> None:
    assert read_password({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path / "config.toml", "") == ""


@pytest.mark.parametrize("text", [b"", b"\n", b"one\ntwo\n", b"\xff", b"x" * 5000])
def test_what_is_no_password(tmp_path: Path, text: bytes) -> None:
    written(tmp_path / "pw", text)
    with pytest.raises(StoreUnfitError, match="holds no password"):
        read_password({}, tmp_path / "config.toml", "pw")


def test_a_file_that_is_not_there_or_that_others_may_read(tmp_path: Path) -> None:
    with pytest.raises(StoreUnfitError, match="cannot be read"):
        read_password({}, tmp_path / "config.toml", "pw")
    written(tmp_path / "pw", PASSWORD.encode(), 0o640)
    with pytest.raises(StoreUnfitError, match="chmod 600"):
        read_password({}, tmp_path / "config.toml", "pw")
