"""Which models are offered, and what each supports."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

# The six ids that the older gateway listed. The CLI accepts them, and uses the successors of retired ones.
OLDER_IDS = (
    "claude-opus-4-1-20250805",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
)

# For these, CLI 2.1.330 asks for the successor, which is the model behind its alias, so that one's abilities count.
_RETIRED = {"claude-opus-4-1-20250805": "opus", "claude-opus-4-20250514": "opus"}

# Generations by their abilities in the Messages API. A name of no known generation is assumed to be a new one.
_WITHOUT_THINKING = re.compile(r"claude-3-(?!7-)")
_WITH_BUDGET = re.compile(r"claude-(3-7-|(opus|sonnet|haiku)-4(-[015])?(-2|$|@|\[))")
_WITHOUT_STRUCTURE = re.compile(r"claude-(3-|(opus|sonnet)-4(-0)?(-2|$|@|\[))")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")

# The CLI's "default" depends on the account, and would say nothing as a model name.
_LEFT_OUT = frozenset({"default"})

# The CLI accepts this after any model's name, and then asks for a context of a million tokens.
LONG_CONTEXT = "[1m]"

# For ids without a date: the day of this table. OpenAI's `created` must be a real time.
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
    """What we read from the CLI's answer to `initialize`."""

    models: tuple[CatalogueEntry, ...] = ()
    claude_code_version: str = ""
    account: dict[str, object] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as we offer it. `cli_name` is what the CLI is told.

    `thinking` is "adaptive", "budget" or "none"; `thinking_off`: whether it can be turned off; `structured`: whether
    the model has structured output (`output_config.format`).
    """

    id: str
    cli_name: str
    display_name: str
    description: str
    efforts: tuple[str, ...]
    thinking: str
    thinking_off: bool
    created: int
    structured: bool = True
    workspace: str = ""  # where Claude works with its own tools, if anywhere

    @property
    def prefills(self) -> bool:
        """Whether it can continue a last message of its own: models with adaptive thinking refuse to."""
        return self.thinking != "adaptive"


def read_initialized(raw: bytes | msgspec.Raw) -> Initialized:
    """Read the CLI's answer to `initialize`; raises msgspec.ValidationError if its shape is unknown."""
    return msgspec.json.decode(raw, type=Initialized)


def offered(
    entries: Sequence[CatalogueEntry], configured: Sequence[str], aliases: Mapping[str, str]
) -> dict[str, Model]:
    """All models by the name a client may use: the CLI's aliases and resolved ids, the older six, the configured ones.

    `aliases` maps client names to CLI names. They are listed in this order.
    """
    models: dict[str, Model] = {}
    for entry in entries:
        if entry.value in _LEFT_OUT:
            continue
        for name in (entry.value, entry.resolved_model):
            if name:
                models.setdefault(name, _from_entry(name, entry))
    for name in (*OLDER_IDS, *configured):
        models.setdefault(name, _unlisted(name, models))
    for name, target in aliases.items():
        models[name] = replace(models.get(target) or _unlisted(target, models), id=name)
    return models


def long_context(name: str, models: Mapping[str, Model]) -> Model | None:
    """The model of a name with the CLI's suffix for a context of a million tokens, if the base model is offered."""
    base = models.get(name.removesuffix(LONG_CONTEXT)) if name.endswith(LONG_CONTEXT) else None
    if base is None or base.cli_name.endswith(LONG_CONTEXT):
        return None
    return replace(base, id=name, cli_name=base.cli_name + LONG_CONTEXT)


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


def _unlisted(name: str, listed: Mapping[str, Model]) -> Model:
    successor = listed.get(_RETIRED.get(name, ""))
    if successor is not None:
        return replace(successor, id=name, cli_name=name, display_name=name, created=_created(name))
    thinking = "none" if _WITHOUT_THINKING.match(name) else "budget" if _WITH_BUDGET.match(name) else "adaptive"
    return Model(
        id=name,
        cli_name=name,
        display_name=name,
        description="",
        efforts=_EFFORTS if thinking == "adaptive" else (),
        thinking=thinking,
        thinking_off=True,
        created=_created(name),
        # Other makers' models come through relays, which do not support it.
        structured=name.startswith("claude-") and not _WITHOUT_STRUCTURE.match(name),
    )


def _created(name: str) -> int:
    date = name.rsplit("-", 1)[-1]
    if len(date) == 8 and date.isdigit():
        try:
            return int(datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass
    return int(_UNDATED.timestamp())
