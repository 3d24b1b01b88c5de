"""Reads the fields of a JSON object, checks the type of each, and names its path in the error.

In OpenAI's API, null and absent mean the same for every optional field: each reader here returns None for both.
"""

from collections.abc import Collection
from typing import Any, NoReturn

from claudegwd.openai_api.errors import InvalidRequest, UnsupportedParameter


def refuse(path: str, why: str, *, code: str | None = None) -> NoReturn:
    """Raise the 400 for a field with a wrong value; `why` says what it must be."""
    raise InvalidRequest(f"cannot read {path}: {why}", param=path, code=code)


def cannot_honour(path: str, why: str) -> NoReturn:
    """Raise the 400 for a field of OpenAI's that we cannot honour; `why` says what to do instead."""
    raise UnsupportedParameter(f"cannot honour {path}: {why}", param=path)


class Fields:
    """One JSON object of a request, at a path ("" for the body itself)."""

    __slots__ = ("path", "values")

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """The value as it came; None if absent or null."""
        return self.values.get(name)

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """A string of at most `longest` characters."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            refuse(self.at(name), "it must be a string")
        if longest is not None and len(value) > longest:
            refuse(self.at(name), f"it must be at most {longest} characters long")
        return value

    def needed_text(self, name: str, *, longest: int | None = None) -> str:
        """A required string that is not empty."""
        value = self.text(name, longest=longest)
        if value is None:
            refuse(self.at(name), "it is missing; send a string")
        if not value:
            refuse(self.at(name), "it is empty; send a string that is not")
        return value

    def one_of(self, name: str, known: Collection[str]) -> str | None:
        """A string with one of the known values."""
        value = self.text(name)
        if value is not None and value not in known:
            refuse(self.at(name), ("it must be one of " if len(known) > 1 else "it must be ") + ", ".join(known))
        return value

    def flag(self, name: str) -> bool | None:
        """True or false; never a number or string that looks like it."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            refuse(self.at(name), "it must be true or false")
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        """An integer between two bounds. 3.0 is one, as in JSON Schema (JavaScript has no other numbers)."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            refuse(self.at(name), "it must be an integer")
        if not low <= value <= high:
            refuse(self.at(name), f"it must be between {low} and {high}")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number between two bounds."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            refuse(self.at(name), "it must be a number")
        if not low <= value <= high:
            refuse(self.at(name), f"it must be between {low:g} and {high:g}")
        return float(value)

    def object(self, name: str) -> "Fields | None":
        """An object, to be read further."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            refuse(self.at(name), "it must be an object")
        return Fields(value, self.at(name))

    def needed_object(self, name: str) -> "Fields":
        """A required object."""
        fields = self.object(name)
        if fields is None:
            refuse(self.at(name), "it is missing; send an object")
        return fields

    def array(self, name: str, *, longest: int) -> list[Any] | None:
        """A list of at most `longest` values, to be read further."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            refuse(self.at(name), "it must be a list")
        if len(value) > longest:
            refuse(self.at(name), f"it must contain at most {longest} values")
        return value

    def objects(self, name: str, *, longest: int) -> "list[Fields]":
        """A list of objects, each to be read further; absent is empty."""
        found = []
        for index, value in enumerate(self.array(name, longest=longest) or ()):
            path = f"{self.at(name)}[{index}]"
            if not isinstance(value, dict):
                refuse(path, "it must be an object")
            found.append(Fields(value, path))
        return found
