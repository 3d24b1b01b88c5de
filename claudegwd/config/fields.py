"""The schema as a table: every key with its type, its default and its allowed values. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from claudegwd.config.schema import Config
from claudegwd.redact import redact

# A longer value would hide the rest of an error message.
_SHOWN_CHARACTERS: Final = 40


@dataclass(frozen=True)
class Field:
    """One key of config.toml. `type` carries msgspec's constraints; `allowed` completes "must be …"."""

    section: str
    name: str
    type: Any
    allowed: str
    default: object

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def plain(self) -> Any:
        """The type without constraints: str, int, float, bool, a tuple, a dict, a Literal or a union of these."""
        return get_args(self.type)[0] if get_origin(self.type) is Annotated else self.type

    @property
    def kind(self) -> Any:
        """What the value is made of: str, int, float, bool, tuple, dict, Literal or a union."""
        origin = get_origin(self.plain)
        return Union if origin is UnionType else origin or self.plain


def _fields() -> Mapping[str, Mapping[str, Field]]:
    table: dict[str, Mapping[str, Field]] = {}
    defaults = Config()
    for section, struct in get_type_hints(Config).items():
        if section == "workspaces":  # the operator chooses their names
            continue
        values = getattr(defaults, section)
        table[section] = MappingProxyType(
            {
                name: Field(section, name, hint, _allowed(hint), getattr(values, name))
                for name, hint in get_type_hints(struct, include_extras=True).items()
            }
        )
    return MappingProxyType(table)


def _allowed(hint: Any) -> str:
    for extra in get_args(hint)[1:]:
        if isinstance(extra, msgspec.Meta) and extra.description:
            return extra.description
    raise TypeError("cannot describe a key of the configuration: give its type a Meta(description=…)")


FIELDS: Final = _fields()
KEYS: Final[Mapping[str, Field]] = MappingProxyType(
    {field.key: field for section in FIELDS.values() for field in section.values()}
)


def value_of(config: Config, key: str) -> Any:
    """The value under "section.name"."""
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that was probably intended."""
    matches = difflib.get_close_matches(wrong.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def is_choice(field: Field) -> bool:
    """Whether the key takes one of a few fixed words."""
    return field.kind is Literal or (
        field.kind is Union and any(get_origin(a) is Literal for a in get_args(field.plain))
    )


def shown(value: object) -> str:
    """A wrong value in a form for error messages: short, and never a token that ended up in the wrong place."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            digits = str(value)
            return digits if len(digits) <= _SHOWN_CHARACTERS else f"a number of {len(digits)} digits"
        case str():
            text = redact(value)
            return f'"{text}"' if len(text) <= _SHOWN_CHARACTERS else f"a string of {len(value)} characters"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"
