from __future__ import annotations

import logging
from pathlib import Path

import pytest

from claudegwd.redact import redact
from claudegwd.shared.connection import StoreUnfitError
from claudegwd.shared.secret_files import read_password, read_seal

PASSWORD = "false-password-of-the-store"
SECRET = "false-secret-of-the-machines-0123456789"


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
    with pytest.raises(StoreUnfitError, match="contains no password"):
        read_password({}, tmp_path / "config.toml", "pw")


def test_a_file_that_is_not_there_or_that_others_may_read(tmp_path: Path) -> None:
    with pytest.raises(StoreUnfitError, match="cannot be read"):
        read_password({}, tmp_path / "config.toml", "pw")
    written(tmp_path / "pw", PASSWORD.encode(), 0o640)
    with pytest.raises(StoreUnfitError, match="chmod 600"):
        read_password({}, tmp_path / "config.toml", "pw")


def test_the_seal_of_a_secret_is_the_same_on_all_machines(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name, f"{SECRET}\n".encode()) for name in ("one", "other"))
    written(tmp_path / "third", f"{SECRET}x".encode())
    seals = [read_seal({}, tmp_path / "config.toml", path.name) for path in (one, other)]
    third = read_seal({}, tmp_path / "config.toml", "third")
    assert seals[0] is not None
    assert seals[1] is not None
    assert third is not None
    sealed = seals[0].lock(b"word", b"for")
    assert seals[1].unlock(sealed, b"for") == b"word"
    assert third.unlock(sealed, b"for") is None
    assert SECRET not in redact(f"it is {SECRET}")


def test_a_secret_as_a_credential_or_none(tmp_path: Path) -> None:
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_seal(env, tmp_path / "config.toml", "") is None
    written(tmp_path / "shared-secret", SECRET.encode(), 0o440)
    assert read_seal(env, tmp_path / "config.toml", "") is not None


def test_a_secret_that_could_be_guessed(tmp_path: Path) -> None:
    written(tmp_path / "secret", SECRET[:31].encode())
    with pytest.raises(StoreUnfitError, match="fewer than 32 characters") as caught:
        read_seal({}, tmp_path / "config.toml", "secret")
    assert caught.value.setting == "shared.secret_file"
