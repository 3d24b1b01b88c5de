"""The password of the shared store: in a file of its own or a credential of systemd's, and nowhere else."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from claudegwd import contract
from claudegwd.redact import know_tokens
from claudegwd.shared.store import StoreUnfitError

MAX_BYTES: Final = 4096  # no password is longer; a whole file of something else would be

_SETTING: Final = "shared.password_file"


def read_password(env: Mapping[str, str], config_file: Path, setting: str) -> str:
    """The password, "" where there is none. From now on no log shows it. Blocking. Raises StoreUnfitError."""
    path = contract.shared_password_path(env, config_file, setting)
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StoreUnfitError(_SETTING, f"names a file that cannot be read ({error.strerror}): {path}") from None
    if setting and mode & 0o077:
        raise StoreUnfitError(_SETTING, f"names a file that others may read: `chmod 600 {path}`")
    try:
        password = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password or len(data) > MAX_BYTES or "\n" in password:
        raise StoreUnfitError(_SETTING, f"names a file that holds no password, or more than one line: {path}")
    know_tokens([password])
    return password
