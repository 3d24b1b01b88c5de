"""The models on offer: the CLI's own, the older six, the configured ones and aliases."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from claudegwd.translate.request.catalogue import (
    OLDER_IDS,
    CatalogueEntry,
    Model,
    long_context,
    offered,
    read_initialized,
)

OPUS = {
    "value": "opus",
    "resolvedModel": "claude-opus-5-5",
    "displayName": "Opus",
    "description": "Best",
    "supportsEffort": True,
    "supportedEffortLevels": ["low", "high"],
    "supportsAdaptiveThinking": True,
    "supportsThinkingOff": False,
    "new": {},
}


def entries(*values: object) -> tuple[CatalogueEntry, ...]:
    return read_initialized(json.dumps({"models": values, "account": {}, "pid": 1}).encode()).models


def unlisted(name: str) -> Model:
    return offered((), [name], {})[name]


def test_what_the_cli_says_of_itself() -> None:
    read = read_initialized(b'{"claude_code_version":"2.1.330","account":{"tokenSource":"none"},"commands":[1]}')
    assert (read.claude_code_version, read.account, read.models) == ("2.1.330", {"tokenSource": "none"}, ())
    with pytest.raises(msgspec.ValidationError):
        read_initialized(b'{"models":[{"value":null}]}')


def test_an_entry_is_offered_by_its_alias_and_by_its_name() -> None:
    models = offered(entries({"value": "default", "resolvedModel": "claude-opus-5-5"}, OPUS), (), {})
    assert list(models)[:2] == ["opus", "claude-opus-5-5"]
    assert models["opus"] == Model(
        "opus", "opus", "Opus", "Best", ("low", "high"), "adaptive", False, models["opus"].created
    )
    assert models["claude-opus-5-5"].cli_name == "claude-opus-5-5"
    assert "default" not in models


def test_the_older_six_are_offered_whatever_the_cli_says() -> None:
    assert [name for name in offered((), (), {}) if name in OLDER_IDS] == list(OLDER_IDS)


def test_a_retired_one_can_do_what_its_successor_can() -> None:
    models = offered(entries(OPUS), (), {})
    assert models["claude-opus-4-20250514"].thinking == "adaptive"
    assert models["claude-opus-4-20250514"].thinking_off is False
    assert models["claude-opus-4-20250514"].cli_name == "claude-opus-4-20250514"
    assert offered((), (), {})["claude-opus-4-20250514"].thinking == "budget"


@pytest.mark.parametrize(
    ("name", "thinking", "structured"),
    [
        ("claude-3-haiku-20240307", "none", False),
        ("claude-3-5-haiku-20241022", "none", False),
        ("claude-3-7-sonnet-20250219", "budget", False),
        ("claude-sonnet-4", "budget", False),
        ("claude-sonnet-4-0", "budget", False),
        ("claude-sonnet-4-20250514", "budget", False),
        ("claude-opus-4-1", "budget", True),
        ("claude-sonnet-4-5-20250929", "budget", True),
        ("claude-haiku-4-5", "budget", True),
        ("claude-sonnet-4-5[1m]", "budget", True),
        ("claude-sonnet-4-6", "adaptive", True),
        ("claude-opus-9", "adaptive", True),
        ("glm-4.6", "adaptive", False),  # of a relay behind base_url
    ],
)
def test_names_that_are_not_in_the_catalogue(name: str, thinking: str, structured: bool) -> None:
    made = unlisted(name)
    assert (made.thinking, made.structured) == (thinking, structured)
    assert bool(made.efforts) is (thinking == "adaptive")


def test_aliases_lead_to_models_of_any_kind() -> None:
    models = offered(entries(OPUS), (), {"gpt-4o": "opus", "gpt-5": "gpt-4o", "mini": "claude-haiku-4-5"})
    assert models["gpt-4o"].cli_name == "opus"
    assert models["gpt-5"].cli_name == "opus"
    assert models["gpt-5"].id == "gpt-5"
    assert models["mini"].cli_name == "claude-haiku-4-5"


def test_a_configured_name_changes_nothing_of_a_known_one() -> None:
    assert offered(entries(OPUS), ["opus"], {}) == offered(entries(OPUS), (), {})


@pytest.mark.parametrize(
    ("name", "date"),
    [("claude-x-20250514", datetime(2025, 5, 14, tzinfo=UTC)), ("claude-x-99999999", None), ("claude-x", None)],
)
def test_created_is_a_real_time(name: str, date: datetime | None) -> None:
    created = unlisted(name).created
    assert created == (date.timestamp() if date else datetime(2026, 11, 1, tzinfo=UTC).timestamp())


def test_a_long_context_of_any_model_that_is_offered() -> None:
    models = offered((), ("claude-x", "claude-y[1m]"), {"gpt-4o": "claude-x"})
    long = long_context("claude-x[1m]", models)
    assert long is not None
    assert (long.id, long.cli_name) == ("claude-x[1m]", "claude-x[1m]")
    alias = long_context("gpt-4o[1m]", models)
    assert alias is not None
    assert alias.cli_name == "claude-x[1m]"
    for name in ("claude-x", "claude-z[1m]", "claude-y[1m][1m]", "[1m]"):
        assert long_context(name, models) is None
