from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from ruamel.yaml import YAML

from claudegwctl.connecting.clients import CLIENTS, ClientProgram, Wanted, where
from claudegwctl.connecting.documents import Document

TO = Wanted("http://127.0.0.1:8000/v1", "cgw-false-1", "opus")
READ = {"json": json.loads, "toml": tomllib.loads, "yaml": YAML(typ="safe").load}
each = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def written(client: ClientProgram, to: Wanted = TO) -> Any:
    assert client.kind is not None
    document = Document(client.kind, "", "new")
    for entry in client.entries(to):
        document.put(entry.path, entry.value)
    return READ[client.kind](document.text())


@each
def test_everybody_is_told_address_key_and_model(client: ClientProgram) -> None:
    said = client.words(TO) + (json.dumps(written(client)) if client.kind else "")
    for part in (TO.root, TO.key, *([] if client.name in {"open-webui", "shell"} else [TO.model])):
        assert part in said


@each
def test_a_file_is_named_where_one_is_written(client: ClientProgram) -> None:
    assert bool(where(client)) == (client.kind is not None) == bool(client.entries(TO))


@each
def test_a_key_that_is_kept_stands_where_it_is_looked_for(client: ClientProgram) -> None:
    if client.kept_key:
        document = Document(client.kind or "json", "", "new")
        for entry in client.entries(TO):
            document.put(entry.path, entry.value)
        assert document.get(client.kept_key) == TO.key


def test_codex_sends_no_key_where_none_is_asked_for() -> None:
    codex = next(client for client in CLIENTS if client.name == "codex")
    provider = written(codex, Wanted(TO.url, "any", "opus", has_key=False))["model_providers"]["claudegwd"]
    assert provider == {"name": "claudegwd", "base_url": TO.url, "wire_api": "responses"}
