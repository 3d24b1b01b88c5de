"""A key of the gateway's for one client program: one, however often it is asked for, because it is shown only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

# Stands for a key in a snippet where one is needed and none is known.
NO_KEY: Final = "YOUR-KEY"
# Where no key is asked for, clients still insist on sending one.
ANY_KEY: Final = "any"


@dataclass(frozen=True)
class OwnKey:
    """`key` is the one that is there, `to_make` says that one can be made, `obstacle` why neither is so."""

    key: str | None = None
    to_make: bool = False
    obstacle: str = ""


def own_key(name: str, kept: str | None, clients: Iterable[Mapping[str, Any]], *, write: bool = False) -> OwnKey:
    """Of the client program `name`, which keeps the key `kept`, at a gateway with these `clients`."""
    again = f"claudegwctl connect {name}{' --write' if write else ''}"
    state = next((str(row["state"]) for row in clients if row["name"] == name), None)
    if state is None:
        return OwnKey(to_make=True)
    if state != "active":
        return OwnKey(obstacle=f"the gateway's client {name} is {state}; `claudegwctl clients remove {name}` frees it")
    if kept:
        return OwnKey(kept)
    return OwnKey(
        obstacle=(
            f"{name} already has one, which was shown only when it was created; `GATEWAY_KEY=$(claudegwctl clients "
            f"rotate {name}) {again}` replaces it"
        )
    )


def still_counts(name: str, clients: Iterable[Mapping[str, Any]]) -> str:
    """What to say of the key of a client program that was disconnected; "" for nothing."""
    if any(row["name"] == name and row["state"] == "active" for row in clients):
        return f"the gateway still accepts the key of its client {name}; `claudegwctl clients remove {name}` removes it"
    return ""
