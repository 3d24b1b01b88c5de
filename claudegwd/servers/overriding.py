"""Overrides parts of a library whose interface is not guaranteed.

The servers override methods of Hypercorn and Quart, some of them private. Python treats a method that overrides nothing
as a new one, and type checkers do not complain: after a library update, our checks might exist but never be called, and
ambiguous requests would reach the application. So each class declares what it overrides, and if one of these methods is
missing, its module cannot be imported and the daemon does not start.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

Class = TypeVar("Class", bound=type)


class LibraryError(Exception):
    """The servers cannot use this version of a library; the text says what to do."""


def overriding(*names: str) -> Callable[[Class], Class]:
    """A decorator for a class that replaces these attributes of its base. Raises LibraryError if one is missing from
    the base and from its own bases."""

    def check(made: Class) -> Class:
        base = made.__mro__[1]
        for name in names:
            if not any(name in vars(one) for one in made.__mro__[1:]):
                library = base.__module__.split(".")[0].replace("_", "-")
                raise LibraryError(
                    f"cannot serve with {library} {version(library)}: it no longer has {base.__name__}.{name}, "
                    "which claudegwd overrides; install the versions in constraints.txt"
                )
        return made

    return check
