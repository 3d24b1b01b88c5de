"""The offered models: those of the CLI in use, and the configured ones."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, Final

from claudegwd.config.load import Loaded
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import ClaudeConfig, WorkspaceConfig
from claudegwd.limits.clients import Client
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import ModelNotFound
from claudegwd.openai_api.models import ModelInfo
from claudegwd.translate.request.catalogue import LONG_CONTEXT, Initialized, Model, long_context, offered
from claudegwd.translate.request.fallbacks import names_in, stand_ins
from claudegwd.translate.request.model_names import no_such_model
from claudegwd.workers.cli.known_cli import KnownCli
from claudegwd.workspaces.plan import in_workspace, may_use, models_of, names_for, workspace_of

# The CLI accepts these, but does not list the one that its "default" stands for, which depends on the account.
_FAMILIES: Final = ("sonnet", "opus", "haiku")


class OfferedModels:
    """Empty before `offer`."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._config = ClaudeConfig()
        self._owner = ""
        self._workspaces: Mapping[str, WorkspaceConfig] = {}

    def offer(self, config: ClaudeConfig, cli: KnownCli, workspaces: Mapping[str, WorkspaceConfig]) -> None:
        """Offer this CLI's models, and the configured ones."""
        self._config = config
        self._workspaces = workspaces
        self._models = _offered(config, cli, workspaces)
        self._owner = f"anthropic-claude-{cli.version}"

    def find(self, name: str, client: Client) -> Model:
        """The model with this name. Raises ModelNotFound, also if this client may not use it."""
        named = self._config.aliases.get(name, name)
        if (found := workspace_of(named, self._workspaces)) is not None:
            return self._in_workspace(name, *found, client)
        model = self._models.get(name) or long_context(name, self._models)
        if model is None or not (client.allows(name) or client.allows(name.removesuffix(LONG_CONTEXT))):
            raise ModelNotFound(no_such_model(name, filter(client.allows, self._models)))
        return model

    def _in_workspace(self, name: str, base: str, workspace: str, client: Client) -> Model:
        """`name`, perhaps an alias, means `base` there. Raises ModelNotFound if this client has no access, just as for
        an unknown name."""
        config = self._workspaces[workspace]
        model = self._models.get(base) or long_context(base, self._models)
        there = base in models_of(config, self._config) and may_use(config, client, f"{base}@{workspace}")
        if model is None or not there:
            raise ModelNotFound(no_such_model(name, filter(client.allows, self._models)))
        return in_workspace(model, name, workspace)

    def in_directory(self, name: str, path: str, client: Client) -> str:
        """The name of this model in the workspace of that directory; the name itself if this client has none there, or
        if it already names a workspace."""
        named = self._config.aliases.get(name, name)
        if workspace_of(named, self._workspaces) is not None:
            return name
        for workspace, config in self._workspaces.items():
            granted = any(may_use(config, client, f"{each}@{workspace}") for each in models_of(config, self._config))
            if granted and PurePath(path) == Path(config.directory).expanduser():
                return f"{named}@{workspace}"
        return name

    def stand_ins(self, model: Model, client: Client) -> Iterator[Model]:
        """The fallbacks for it that this client may use."""
        for name in stand_ins(model, self._config.fallback):
            other = self._models.get(name)
            if other and client.allows(other.id):
                yield other

    def default(self) -> Model | None:
        """The model of claude.default_model; None before anything is offered."""
        return self._models.get(self._config.default_model)

    def infos(self, client: Client) -> list[ModelInfo]:
        """The models that this client may use, in listing order."""
        found = [model for model in self._models.values() if client.allows(model.id)]
        for name in names_for(self._workspaces, self._config, client):
            with suppress(ModelNotFound):
                found.append(self.find(name, client))
        return list(map(self._info, found))

    def info(self, name: str, client: Client) -> ModelInfo:
        """A single model. Raises ModelNotFound."""
        return self._info(self.find(name, client))

    def rows(self) -> list[dict[str, Any]]:
        """For the control face: id, what the CLI is told, what it can do. Also those of all workspaces."""
        return [
            {
                "id": model.id,
                "cli_name": model.cli_name,
                "display_name": model.display_name,
                "efforts": list(model.efforts),
                "default": model.id == self._config.default_model,
            }
            for model in (*self._models.values(), *self._of_workspaces())
        ]

    def _of_workspaces(self) -> Iterator[Model]:
        for name, workspace in self._workspaces.items():
            for base in models_of(workspace, self._config):
                model = self._models.get(base) or long_context(base, self._models)
                if model is not None:
                    yield in_workspace(model, f"{base}@{name}", name)

    def _info(self, model: Model) -> ModelInfo:
        return ModelInfo(
            id=model.id,
            created=model.created,
            owned_by=self._owner,
            display_name=model.display_name,
            description=model.description,
            effort_levels=model.efforts,
        )


def check_models(loaded: Loaded, initialized: Initialized) -> tuple[str, ...]:
    """Warnings about models in the configuration that are neither in the CLI's catalogue nor in claude.models: they are
    mistyped, or only the upstream knows them. Raises ConfigError for a fallback, which could never be used."""
    if not initialized.models:
        return ()  # this CLI does not say
    config, workspaces = loaded.config.claude, loaded.config.workspaces
    plain = {name: to for name, to in config.aliases.items() if not workspace_of(to, workspaces)}
    listed = offered(initialized.models, (*_FAMILIES, *config.models), {})
    models = offered(initialized.models, (*_FAMILIES, *config.models), plain)
    targets = ((workspace_of(to, workspaces) or (to,))[0] for to in config.aliases.values())
    named = [
        *(("claude.aliases", name, listed) for name in targets),
        ("claude.default_model", config.default_model, models),
        *(("claude.fallback", name, models) for name in names_in(config.fallback)),
        *((f"workspaces.{key}.models", name, models) for key, each in workspaces.items() for name in each.models),
    ]
    warnings = []
    for key, name, known in named:
        if name not in known and long_context(name, known) is None:
            text = no_such_model(name, known).removeprefix("cannot find the model ")
            text = f"names a model that is not offered, {text}; claude.models can list more"
            if key == "claude.fallback":
                raise ConfigError(*loaded.origin(key), text)
            warnings.append(f"{key} {text}")
    return tuple(warnings)


def note_models(loaded: Loaded, initialized: Initialized) -> tuple[str, ...]:
    """The same, which also logs the warnings."""
    warnings = check_models(loaded, initialized)
    for warning in warnings:
        log_event(log, logging.WARNING, "a note on the configuration", problem=warning)
    return warnings


def _offered(config: ClaudeConfig, cli: KnownCli, workspaces: Mapping[str, WorkspaceConfig]) -> dict[str, Model]:
    plain = {name: to for name, to in config.aliases.items() if not workspace_of(to, workspaces)}
    return offered(cli.initialized.models, (*config.models, config.default_model), plain)
