"""The gateway's key for a client program: only one, however often it is requested, because it is shown only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

# The placeholder for a key in a snippet, if one is required and none is known.
NO_KEY: Final = "YOUR-KEY"
# Clients insist on sending a key even if none is required.
ANY_KEY: Final = "any"


@dataclass(frozen=True)
class OwnKey:
    """`key` is the existing one, `to_make` says that one can be created, `obstacle` why neither is possible."""

    key: str | None = None
    to_make: bool = False
    obstacle: str = ""


def own_key(name: str, kept: str | None, clients: Iterable[Mapping[str, Any]], *, write: bool = False) -> OwnKey:
    """The key of the client program `name`: `kept` is the one in its file, `clients` are the gateway's clients."""
    again = f"claudegwctl connect {name}{' --write' if write else ''}"
    state = next((str(row["state"]) for row in clients if row["name"] == name), None)
    if state is None:
        return OwnKey(to_make=True)
    if state != "active":
        return OwnKey(
            obstacle=f"the gateway's client {name} is {state}; remove it with `claudegwctl clients remove {name}`"
        )
    if kept:
        return OwnKey(kept)
    return OwnKey(
        obstacle=(
            f"{name} already has one, which was shown only when it was created; `GATEWAY_KEY=$(claudegwctl clients "
            f"rotate {name}) {again}` replaces it"
        )
    )


def still_counts(name: str, clients: Iterable[Mapping[str, Any]]) -> str:
    """What to say about the key of a client program that was disconnected; "" for nothing."""
    if any(row["name"] == name and row["state"] == "active" for row in clients):
        return f"the gateway still accepts the key of its client {name}; `claudegwctl clients remove {name}` removes it"
    return ""
