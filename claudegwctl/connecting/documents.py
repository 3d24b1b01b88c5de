"""Other programs' configuration files: read, changed at a few places, written with everything else as it was.

JSON, TOML and YAML; comments stay in the latter two. JSON with comments is not ours to rewrite: refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import MutableMapping, MutableSequence
from itertools import pairwise
from typing import Any

from claudegwctl.connecting.clients import Kind, Named, Path
from claudegwctl.problems import Problem


class Document:
    """A file's text, parsed. `name` is for errors. Raises Problem where it cannot be read as its kind."""

    def __init__(self, kind: Kind, text: str, name: str) -> None:
        self._kind = kind
        self._layout: tuple[int | None, int | None] = (None, None)
        self._text = text
        try:
            self.data = self._read(text)
        except ValueError:
            raise Problem(f"cannot edit {name}: {_NOT[kind]}; put the lines in by hand") from None
        if not isinstance(self.data, MutableMapping):
            raise Problem(f"cannot edit {name}: it holds no settings by name; put the lines in by hand")

    def get(self, path: Path) -> Any:
        """What stands there; None for nothing."""
        found: Any = self.data
        for part in path:
            found = _inside(found, part)
        return found

    def put(self, path: Path, value: Any) -> None:
        """Make it stand there, and whatever is above it."""
        here: Any = self.data
        for part, following in pairwise(path):
            inner = _inside(here, part)
            if inner is None:
                here[part] = self._new(following)
                inner = here[part]  # as the library keeps it
            here = inner
        last = path[-1]
        if isinstance(last, Named):
            place = _place(here, last)
            here.append(value) if place is None else here.__setitem__(place, value)
        else:
            here[last] = value

    def drop(self, path: Path) -> None:
        """Take it out, and what is above it and has become empty."""
        here, last = self.get(path[:-1]), path[-1]
        if isinstance(last, Named):
            place = _place(here, last)
            if place is not None:
                del here[place]
        elif isinstance(here, MutableMapping) and last in here:
            del here[last]
        if len(path) > 1 and here is not None and not len(here):
            self.drop(path[:-1])

    def text(self) -> str:
        """As it is to be written."""
        if self._kind == "json":
            found = re.search(r"^([ \t]+)\S", self._text, re.MULTILINE)
            return json.dumps(self.data, ensure_ascii=False, indent=found[1] if found else 2) + "\n"
        if self._kind == "toml":
            import tomlkit

            return tomlkit.dumps(self.data)
        out = io.StringIO()
        yaml = _yaml()
        indent, offset = self._layout
        yaml.indent(sequence=indent, offset=offset)
        yaml.dump(self.data, out)
        return out.getvalue()

    def _read(self, text: str) -> Any:
        """ValueError where it is not of its kind."""
        if self._kind == "json":
            return json.loads(text) if text.strip() else {}
        if self._kind == "toml":
            import tomlkit

            return tomlkit.parse(text)  # its errors are ValueErrors
        from ruamel.yaml.comments import CommentedMap
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.util import load_yaml_guess_indent

        try:
            data, indent, offset = load_yaml_guess_indent(text, yaml=_yaml())
        except YAMLError:
            raise ValueError from None
        self._layout = (indent or 4, offset if indent else 2)
        return CommentedMap() if data is None else data

    def _new(self, following: str | Named) -> Any:
        if isinstance(following, Named):
            return []
        if self._kind == "toml":
            import tomlkit

            return tomlkit.table(is_super_table=True)
        return {}


_NOT: dict[Kind, str] = {
    "json": "it is no plain JSON, which knows no comments",
    "toml": "it is no valid TOML",
    "yaml": "it is no valid YAML",
}


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # lines are their owner's to break
    return yaml


def _inside(found: Any, part: str | Named) -> Any:
    if isinstance(part, Named):
        place = _place(found, part)
        return None if place is None else found[place]
    return found.get(part) if isinstance(found, MutableMapping) else None


def _place(found: Any, named: Named) -> int | None:
    if not isinstance(found, MutableSequence):
        return None
    names = (item.get("name") if isinstance(item, MutableMapping) else None for item in found)
    return next((place for place, name in enumerate(names) if name == named.name), None)
