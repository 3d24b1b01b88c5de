"""Data that a client keeps for us and must not read or change: sealed with a key of this machine, for that client only.

Uses AES-256-GCM from `cryptography`, which is loaded with the first text: that takes some 10 ms and 8 MB.
"""

import base64
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from claudegwd.contract import SEAL_NAME
from claudegwd.logs import event, log

KEY_BYTES: Final = 32  # AES-256
NONCE_BYTES: Final = 12  # GCM's own
# Starts what is sealed, as characters: identifies key and format.
PREFIX: Final = "cgws1."


class Seal:
    """Seals texts and opens them again, each for its `owner` only."""

    def __init__(self, key: bytes, before: "Seal | None" = None) -> None:
        """`before`: the previous one, whose texts can still be opened."""
        self._key = key
        self._before = before
        self._cipher: Any = None

    def after(self, before: "Seal") -> "Seal":
        """This one, but also opening the texts of another."""
        return Seal(self._key, before)

    def seal(self, owner: str, text: str) -> str:
        """The text in a form that only `unseal` can read, and only for the same owner."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._aead().encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bound_to(owner))
        return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def unseal(self, owner: str, sealed: str) -> str | None:
        """The text; None if it was not sealed here for this owner."""
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(PREFIX):
            return None
        with suppress(ValueError, InvalidTag):
            data = base64.b64decode(sealed[len(PREFIX) :], altchars=b"-_", validate=True)
            if len(data) > NONCE_BYTES:
                text: bytes = self._aead().decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bound_to(owner))
                return text.decode("utf-8", "surrogatepass")
        return self._before.unseal(owner, sealed) if self._before is not None else None

    def lock(self, data: bytes, purpose: bytes) -> bytes:
        """Bytes of our own in a form that only `unlock` with the same purpose can read."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + bytes(self._aead().encrypt(nonce, data, purpose))

    def unlock(self, data: bytes, purpose: bytes) -> bytes | None:
        """The bytes; None if they were not locked here for that purpose."""
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._aead().decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], purpose))
        except (InvalidTag, ValueError):
            return None

    def _aead(self) -> Any:
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._key)
        return self._cipher


def load_seal(directory: Path | None) -> Seal:
    """The seal of this state directory, created if there is none; without a writable directory, one for this process.

    Blocking.
    """
    if directory is None:
        return Seal(secrets.token_bytes(KEY_BYTES))
    path = directory / SEAL_NAME
    try:
        return Seal(_read_or_make(path))
    except (OSError, ValueError) as error:
        event(
            log,
            logging.ERROR,
            "the key for compacted conversations cannot be used: they are unreadable after a restart",
            file=str(path),
            problem=getattr(error, "strerror", None) or str(error),
        )
        return Seal(secrets.token_bytes(KEY_BYTES))


def _read_or_make(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return _checked(path.read_bytes())
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(fd)
        # A link fails if somebody else was faster: then theirs is the key.
        with suppress(FileExistsError):
            path.hardlink_to(made)
    finally:
        made.unlink()
    return _checked(path.read_bytes())


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"it must contain {KEY_BYTES} bytes; move it away, and a new one is created")
    return key


def _bound_to(owner: str) -> bytes:
    return b"compaction\0" + owner.encode("utf-8", "surrogatepass")
