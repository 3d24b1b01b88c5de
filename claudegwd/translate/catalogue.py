"""Which models are offered, and what each can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

# The six ids that the older gateway listed. The CLI takes them, and asks for the successors of those that are retired.
OLDER_IDS = (
    "claude-opus-4-1-20250805",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
)

# The CLI's "default" is a choice that depends on the account, and as a model name it would say nothing.
_LEFT_OUT = frozenset({"default"})

# For ids that carry no date of their own: the day of this table. OpenAI's `created` must be a real time.
_UNDATED = datetime(2026, 11, 1, tzinfo=UTC)


class CatalogueEntry(msgspec.Struct, rename="camel"):
    """One model of the CLI's answer to `initialize`."""

    value: str
    resolved_model: str = ""
    display_name: str = ""
    description: str = ""
    supports_effort: bool = False
    supported_effort_levels: tuple[str, ...] = ()
    supports_adaptive_thinking: bool = False
    supports_thinking_off: bool = True


class Initialized(msgspec.Struct):
    """What we read of the CLI's answer to `initialize`."""

    models: tuple[CatalogueEntry, ...] = ()
    claude_code_version: str = ""
    account: dict[str, object] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as we offer it. `cli_name` is what the CLI is told; `thinking` is "adaptive", "budget" or "none"."""

    id: str
    cli_name: str
    display_name: str
    description: str
    efforts: tuple[str, ...]
    thinking: str
    thinking_off: bool
    created: int


def read_initialized(raw: bytes | msgspec.Raw) -> Initialized:
    """Read the CLI's answer to `initialize`; raises msgspec.ValidationError where it is not of the known shape."""
    return msgspec.json.decode(raw, type=Initialized)


def offered(
    entries: Sequence[CatalogueEntry], configured: Sequence[str], aliases: Mapping[str, str]
) -> dict[str, Model]:
    """All models by the name a client may use: the CLI's aliases and resolved ids, the older six, the configured ones.

    `aliases` maps client names to CLI names. The order is that in which they are listed.
    """
    models: dict[str, Model] = {}
    for entry in entries:
        if entry.value in _LEFT_OUT:
            continue
        for name in (entry.value, entry.resolved_model):
            if name:
                models.setdefault(name, _from_entry(name, entry))
    for name in (*OLDER_IDS, *configured):
        models.setdefault(name, _older(name))
    for name, target in aliases.items():
        known = models.get(target) or _older(target)
        models[name] = Model(name, target, known.display_name, known.description, known.efforts, known.thinking,
                             known.thinking_off, known.created)  # fmt: skip
    return models


def _from_entry(name: str, entry: CatalogueEntry) -> Model:
    return Model(
        id=name,
        cli_name=name,
        display_name=entry.display_name or name,
        description=entry.description,
        efforts=entry.supported_effort_levels if entry.supports_effort else (),
        thinking="adaptive" if entry.supports_adaptive_thinking else "budget",
        thinking_off=entry.supports_thinking_off,
        created=_created(entry.resolved_model or name),
    )


def _older(name: str) -> Model:
    thinking = "none" if name.startswith("claude-3-5-") else "budget"
    return Model(name, name, name, "", (), thinking, thinking_off=True, created=_created(name))


def _created(name: str) -> int:
    date = name.rsplit("-", 1)[-1]
    if len(date) == 8 and date.isdigit():
        try:
            return int(datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass
    return int(_UNDATED.timestamp())
