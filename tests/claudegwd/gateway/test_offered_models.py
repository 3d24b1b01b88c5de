"""Models that the configuration names, and that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegwd.config import ConfigError, load
from claudegwd.gateway.offered_models import check_models
from claudegwd.translate.request.catalogue import CatalogueEntry, Initialized

CATALOGUE = Initialized(models=(CatalogueEntry("sonnet", "claude-sonnet-5"), CatalogueEntry("opus", "claude-opus-5")))


def check(tmp_path: Path, text: str, catalogue: Initialized = CATALOGUE) -> tuple[str, ...]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return check_models(load(file, {"HOME": str(tmp_path / "home")}), catalogue)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[claude]\ndefault_model = "sonet"', "claude.default_model"),
        ('[claude]\naliases = { "gpt-4o" = "sonet" }', "claude.aliases"),
        ('[claude]\naliases = { "gpt-4o" = "sonet@repo" }', "claude.aliases"),
        ('[claude]\naliases = { "gpt-4o" = "sonet[1m]" }', "claude.aliases"),
        ('[workspaces.repo]\ndirectory = "DIRECTORY"\nmodels = ["sonet"]', "workspaces.repo.models"),
    ],
)
def test_a_name_that_nobody_offers_is_noted(tmp_path: Path, text: str, key: str) -> None:
    directory = tmp_path / "repo"
    directory.mkdir()
    (note,) = check(tmp_path, text.replace("DIRECTORY", str(directory)))
    assert note.startswith(f"{key} names a model that is not offered, ")
    assert note.endswith("; claude.models can list more")
    assert ": use sonnet" in note


def test_a_fallback_that_nobody_offers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"claude.fallback names a model that is not offered, .*: use sonnet"):
        check(tmp_path, '[claude]\nfallback = { opus = ["sonet"] }')


@pytest.mark.parametrize(
    "claude",
    [
        "",
        'default_model = "claude-opus-5"',
        'default_model = "haiku"',  # this account's "default", which the catalogue does not list
        'default_model = "nick"\naliases = { nick = "sonnet" }\nfallback = { nick = ["opus"] }',
        'aliases = { nick = "claude-opus-5[1m]" }',
        'aliases = { nick = "sonnet@repo", older = "claude-3-5-haiku-20241022" }',
        'models = ["a-relay/model"]\ndefault_model = "a-relay/model"\naliases = { nick = "a-relay/model" }',
    ],
)
def test_what_is_offered_is_accepted(tmp_path: Path, claude: str) -> None:
    directory = tmp_path / "repo"
    directory.mkdir()
    assert not check(tmp_path, f'[claude]\n{claude}\n[workspaces.repo]\ndirectory = "{directory}"\nmodels = ["opus"]\n')


def test_a_cli_that_lists_no_models_is_not_asked_about_them(tmp_path: Path) -> None:
    assert not check(tmp_path, '[claude]\ndefault_model = "claude-next"', Initialized())
