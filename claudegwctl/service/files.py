"""The files that are installed with a service: units, property lists, man pages, completions."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from claudegwctl.problems import Problem

PACKAGE: Final = "claudegwctl"
DIRECTORY: Final = "packaging"

# Below a prefix such as /usr/local or ~/.local: where man, bash and fish look.
SHARED: Final = {
    "man/claudegwctl.1": "share/man/man1/claudegwctl.1",
    "man/claudegwd.toml.5": "share/man/man5/claudegwd.toml.5",
    "man/claudegwd.8": "share/man/man8/claudegwd.8",
    "completions/bash/claudegwd": "share/bash-completion/completions/claudegwd",
    "completions/bash/claudegwctl": "share/bash-completion/completions/claudegwctl",
    "completions/fish/claudegwd.fish": "share/fish/vendor_completions.d/claudegwd.fish",
    "completions/fish/claudegwctl.fish": "share/fish/vendor_completions.d/claudegwctl.fish",
}
# By default, zsh looks there only below /usr/local and /usr.
SHARED_ZSH: Final = {
    "completions/zsh/_claudegwd": "share/zsh/site-functions/_claudegwd",
    "completions/zsh/_claudegwctl": "share/zsh/site-functions/_claudegwctl",
}


def read(name: str) -> bytes:
    """The content of `name`, such as "systemd/claudegwd.service"."""
    try:
        return _directory().joinpath(name).read_bytes()
    except OSError:
        raise Problem(
            f"cannot find {name} in the package: reinstall it (`pip install --force-reinstall claudegwd`)"
        ) from None


def _directory() -> Traversable:
    packaged = resources.files(PACKAGE).joinpath(DIRECTORY)
    # In a checkout, and so in an editable installation, they are beside the package, not in it.
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / DIRECTORY
