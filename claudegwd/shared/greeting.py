"""The handshake with the store: whether it lets us in, is new enough, and has our secret."""

import re
from typing import Final

from claudegwd.config.shared import SharedPlace
from claudegwd.shared.connection import StoreConnection, StoreRefusedError, StoreUnfitError
from claudegwd.store.sealing import Seal

# Debian 12 has Redis 7; Valkey started at 7.2. Nothing older is tested.
OLDEST: Final = (7, 0)
CONNECT_SECONDS: Final = 2.0  # also at startup, which waits no longer than this for an unreachable store

_CHECK: Final = b"check"  # purpose of the sealed value that proves that machines have the same secret


async def greet(connection: StoreConnection, place: SharedPlace, password: str, name: str) -> str:
    """Log in; returns the server's name and version. Raises StoreUnfitError, StoreRefusedError, StoreAwayError."""
    login = ("AUTH", place.user or "default", password) if password else ()
    try:
        words = ("HELLO", "3", *login, "SETNAME", _client_name(name))
        said = await connection.call(*words, seconds=CONNECT_SECONDS)
        if place.database:
            await connection.call("SELECT", place.database, seconds=CONNECT_SECONDS)
    except StoreRefusedError as error:
        raise unfit(error, place) or error from None
    found = [said.get(key) for key in (b"server", b"version")] if isinstance(said, dict) else []
    version = " ".join(each.decode("utf-8", "replace") for each in found if isinstance(each, bytes))
    if _numbers(version) < OLDEST:
        which = version or "an unsuitable server"
        raise StoreUnfitError("shared.url", f"points to {which}: Valkey 7.2, Redis 7.0 or newer is required")
    return version


async def check_secret(connection: StoreConnection, key: str, seal: Seal, place: SharedPlace) -> None:
    """A machine with another secret would silently ignore what the others seal, and run on its own."""
    word = seal.lock(_CHECK, _CHECK)
    found = await connection.call("SET", key, word, "NX", "GET", seconds=CONNECT_SECONDS)
    if found is not None and seal.unlock(found, _CHECK) is None:
        text = (
            f"differs from the secret of the other machines at {place}: copy theirs; or, to start over "
            f"with this one, stop all of them and delete the key {key} there"
        )
        raise StoreUnfitError("shared.secret_file", text)


def unfit(error: StoreRefusedError, place: SharedPlace) -> StoreUnfitError | None:
    """The error, if only a person can fix what the store refused."""
    if error.code in ("WRONGPASS", "NOAUTH"):
        whose = f" for the user {place.user}" if place.user else ""
        text = f"does not contain the password{whose} that {place} requires: put it into the file, with nothing else"
        return StoreUnfitError("shared.password_file", text)
    if error.code == "NOPERM" or "user executing the script" in str(error):
        text = f"names a user without the needed permissions at {place}: grant them with `ACL SETUSER` (docs/scale.md)"
        return StoreUnfitError("shared.url", text)
    if "DB index is out of range" in str(error):
        return StoreUnfitError(
            "shared.url", f"names database {place.database}, which {place} does not have: use a lower number"
        )
    if "unknown command" in str(error):
        text = f"points to an unsuitable server: Valkey 7.2, Redis 7.0 or newer is required at {place}"
        return StoreUnfitError("shared.url", text)
    return None


def _client_name(name: str) -> str:
    """What CLIENT LIST shows; the protocol allows no spaces or special characters."""
    return "claudegwd-" + "".join(c if c.isascii() and (c.isalnum() or c in ".-_") else "_" for c in name)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
