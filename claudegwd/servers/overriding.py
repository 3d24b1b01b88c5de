"""Replacing parts of a library that it does not promise to keep.

The servers replace methods of Hypercorn and Quart, some of them private. Python takes a method that replaces nothing
for a new one, and a type checker says nothing either: after an update of the library our checks would be there and
never be called, and a request that can be read in two ways would reach the application. So each class says what it
replaces, and where one of these is gone, its module cannot be imported and the daemon does not start.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

Class = TypeVar("Class", bound=type)


class LibraryError(Exception):
    """A library is not one that the servers can be built on; the text says what to do."""


def overriding(*names: str) -> Callable[[Class], Class]:
    """A decorator for a class that replaces these attributes of its base. Raises LibraryError where the base, or one of
    its own bases, does not have one."""

    def check(made: Class) -> Class:
        base = made.__mro__[1]
        for name in names:
            if not any(name in vars(one) for one in made.__mro__[1:]):
                library = base.__module__.split(".")[0].replace("_", "-")
                raise LibraryError(
                    f"cannot serve with {library} {version(library)}: it has no {base.__name__}.{name} any more, which "
                    "claudegwd replaces; install the versions of constraints.txt"
                )
        return made

    return check
