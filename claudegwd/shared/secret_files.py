"""The shared store's password and its machines' secret: each only in its own file or a systemd credential."""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from claudegwd import contract
from claudegwd.redact import know_tokens
from claudegwd.shared.connection import StoreUnfitError
from claudegwd.store.sealing import Seal

MAX_BYTES: Final = 4096  # no password or secret is longer; any other file could be
# 128 bits in hex: anybody who has read the store could guess a shorter one.
SECRET_MIN: Final = 32

_PASSWORD: Final = "shared.password_file"  # noqa: S105 - a setting's name
_SECRET: Final = "shared.secret_file"  # noqa: S105 - a setting's name
_SEAL: Final = b"claudegwd shared seal\0"


def read_password(env: Mapping[str, str], config_file: Path, setting: str) -> str:
    """The password, "" if there is none. From now on it is redacted in logs. Blocking. Raises StoreUnfitError."""
    path = contract.shared_password_path(env, config_file, setting)
    return "" if path is None else _line_of(path, _PASSWORD, "password", private=bool(setting))


def read_seal(env: Mapping[str, str], config_file: Path, setting: str) -> Seal | None:
    """The seal derived from the machines' secret, None if there is none. Blocking. Raises StoreUnfitError."""
    path = contract.shared_secret_path(env, config_file, setting)
    if path is None:
        return None
    secret = _line_of(path, _SECRET, "secret", private=bool(setting))
    if len(secret) < SECRET_MIN:
        raise StoreUnfitError(
            _SECRET,
            (f"names a file with fewer than {SECRET_MIN} characters: create a secret with `openssl rand -hex 32`"),
        )
    return Seal(hashlib.sha256(_SEAL + secret.encode()).digest())


def _line_of(path: Path, setting: str, what: str, *, private: bool) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StoreUnfitError(setting, f"names a file that cannot be read ({error.strerror}): {path}") from None
    if private and mode & 0o077:
        raise StoreUnfitError(setting, f"names a file that others can read: run `chmod 600 {quote(str(path))}`")
    try:
        line = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        line = ""
    if not line or len(data) > MAX_BYTES or "\n" in line:
        raise StoreUnfitError(setting, f"names a file that contains no {what}, or more than one line: {path}")
    know_tokens([line])
    return line
