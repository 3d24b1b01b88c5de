"""The error for a model that is not offered: its name, and similar names that may have been meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

# As many as a reader can compare at a glance.
MAX_NEIGHBOURS: Final = 3
# Names that are compared, some 20 microseconds each: catalogues have a few dozen.
MAX_COMPARED: Final = 500
# Characters of a name in a message: enough for any real one.
MAX_SHOWN: Final = 64


def no_such_model(name: str, offered: Iterable[str]) -> str:
    """The message for a client that asked for `name` and may use the models of `offered`, most wanted first."""
    names = list(islice(offered, MAX_COMPARED))
    # Compared as shown: a longer name cannot be similar to any.
    near = get_close_matches(_shown(name).lower(), names, MAX_NEIGHBOURS, cutoff=0.5) or names[:MAX_NEIGHBOURS]
    if not near:
        return (
            f'cannot find the model "{_shown(name)}": this API key may not use any model; ask the operator for '
            "another key"
        )
    return f'cannot find the model "{_shown(name)}": use {_listed(near)}, or another model listed by GET /v1/models'


def _shown(name: str) -> str:
    """One line of plain characters, whatever the client wrote."""
    cut = name if len(name) <= MAX_SHOWN else name[: MAX_SHOWN - 1] + "…"
    return "".join(character if character.isprintable() and character != '"' else "?" for character in cut)


def _listed(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
