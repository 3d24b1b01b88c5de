"""Edit a few settings in other programs' configuration files, and keep everything else, including comments.

JSON (with the comments and trailing commas that editors allow), TOML and YAML.
"""

from __future__ import annotations

import io
from collections.abc import MutableMapping, MutableSequence
from itertools import pairwise
from typing import Any

from claudegwctl.connecting import jsonc
from claudegwctl.connecting.clients import Kind, Named, Path
from claudegwctl.problems import Problem


class Document:
    """A file's text, parsed. `name` is for errors. Raises Problem if it is not valid, or cannot be changed."""

    def __init__(self, kind: Kind, text: str, name: str) -> None:
        self._kind = kind
        self._layout: tuple[int | None, int | None] = (None, None)
        self._text = text  # of JSON, up to date; for the others, their library keeps it
        self._name = name
        try:
            self.data = self._read(text)
        except ValueError:
            raise self._cannot(_NOT[kind]) from None
        if not isinstance(self.data, MutableMapping):
            raise self._cannot("it is not a table of settings")

    def get(self, path: Path) -> Any:
        """The value at `path`; None if there is none."""
        found: Any = self.data
        for part in path:
            found = _inside(found, part)
        return found

    def put(self, path: Path, value: Any) -> None:
        """Set the value at `path`, creating its parents. Raises Problem if a parent has another type."""
        here: Any = self.data
        for depth, (part, following) in enumerate(pairwise(path), 1):
            inner = _inside(here, part)
            if inner is None:
                if self._kind == "json":
                    break
                here[part] = self._new(following)
                inner = here[part]  # as the library keeps it
            if not isinstance(inner, MutableSequence if isinstance(following, Named) else MutableMapping):
                where = ".".join(part if isinstance(part, str) else part.name for part in path[:depth])
                raise self._cannot(f"{where} has an unexpected type")
            here = inner
        last = path[-1]
        if self._kind == "json":
            self._become(jsonc.with_value(self._text, _names(path), value))
            return
        if isinstance(last, Named):
            place = _place(here, last)
            here.append(value) if place is None else here.__setitem__(place, value)
        else:
            here[last] = value

    def drop(self, path: Path) -> None:
        """Remove the value, and parents that are empty then."""
        if self._kind == "json":
            self._become(jsonc.without(self._text, _names(path)))
            return
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
        """The text to write."""
        if self._kind == "json":
            return self._text
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
        """Raises ValueError if the text is not valid."""
        if self._kind == "json":
            return jsonc.read(text).data
        text = text.removeprefix("\ufeff")  # a byte order mark, which some editors write
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

    def _become(self, text: str) -> None:
        self._text, self.data = text, self._read(text)

    def _cannot(self, reason: str) -> Problem:
        return Problem(f"cannot edit {self._name}: {reason}; add the lines by hand")

    def _new(self, following: str | Named) -> Any:
        if isinstance(following, Named):
            return []
        if self._kind == "toml":
            import tomlkit

            return tomlkit.table(is_super_table=True)
        return {}


def _names(path: Path) -> list[str]:
    """The names in a path in JSON, where no client keeps us in a list."""
    return [part for part in path if isinstance(part, str)]


_NOT: dict[Kind, str] = {
    "json": "it is not valid JSON, even with comments",
    "toml": "it is not valid TOML",
    "yaml": "it is not valid YAML",
}


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # never wrap the owner's lines
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
