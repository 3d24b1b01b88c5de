"""What the ring returns besides keys: values in place of a key, and its refusals."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, unique
from shlex import quote
from typing import Final

from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.states import KeyState

# Stands for "no key" where a name is needed. Names cannot contain parentheses, so no key can have this name.
ENVIRONMENT: Final = "(environment)"


@dataclass(frozen=True, slots=True)
class NoKeys:
    """Use the credentials of the daemon's own environment, or the CLI's own login: no keys are configured."""

    name: str = ENVIRONMENT

    @property
    def address(self) -> str:
        """As UpstreamKey.address: there is only one."""
        return ENVIRONMENT

    @property
    def digest(self) -> None:
        """Unlike UpstreamKey.digest: whose credentials they are is not known."""
        return


@dataclass(frozen=True, slots=True)
class WaitForKey:
    """No key now; the first is back at ``until`` (seconds since the epoch). ``kind``: what to report until then."""

    until: float
    kind: FailureKind
    refused: bool = False  # and other keys are invalid


@dataclass(frozen=True, slots=True)
class Dead:
    """No key, and waiting does not help. ``kind``: what to report."""

    kind: FailureKind
    disabled: bool = False  # because the operator has disabled all keys


@unique
class RingChange(Enum):
    """What a listener must persist: a state at once, counters when convenient."""

    STATE = "state"
    COUNTERS = "counters"


@dataclass(frozen=True, slots=True)
class KeysDiff:
    """What ``KeyRing.replace`` changed: names in file order. ``changed``: another token, host, kind or status."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Iterable[UpstreamKey], new: Iterable[UpstreamKey]) -> "KeysDiff":
        """The difference between two lists of keys."""
        before, after = ({key.name: key for key in keys} for keys in (old, new))
        return cls(
            added=tuple(name for name in after if name not in before),
            removed=tuple(name for name in before if name not in after),
            changed=tuple(name for name, key in after.items() if name in before and before[name] != key),
        )


class UnknownKey(LookupError):  # noqa: N818 - it names the fault
    """There is no key with this name."""


class CannotRotate(Exception):  # noqa: N818 - it names the fault
    """There is no key to rotate to; the text says why and what to do."""


def why_no_rotation(count: int) -> str:
    """The text of CannotRotate if none of `count` keys is ready."""
    if count == 0:
        return "cannot rotate: no keys are configured; add one with `claudegwctl keys add NAME`"
    return "cannot rotate: no other key is ready; `claudegwctl keys list` shows their states"


def why_not_to(name: str, state: KeyState) -> str:
    """The same for the key of this name, which is not usable in this state."""
    verb, says = ("enable", "enables it") if state is KeyState.DISABLED else ("test", "tests it again")
    return f"cannot rotate to key {name!r}: it is {state.value}; `claudegwctl keys {verb} {quote(name)}` {says}"
