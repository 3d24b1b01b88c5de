from __future__ import annotations

from pathlib import Path

import msgspec

from claudegwd.config import config_rows, in_effect, load
from claudegwd.config.schema import Config


def test_each_key_with_its_value_and_source(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[server]\nbind = ["127.0.0.1:9"]\n')
    loaded = load(file, {"CLAUDEGWD_LOG__LEVEL": "debug", "API_KEYS": "sk-false-client-key-0123456789"})
    rows = {row["key"]: row for row in config_rows(loaded)}
    assert rows["server.bind"] == {
        "key": "server.bind",
        "value": ["127.0.0.1:9"],
        "default": ["127.0.0.1:8000"],
        "source": "file",
        "variable": "CLAUDEGWD_SERVER__BIND",
    }
    assert rows["log.level"]["source"] == "CLAUDEGWD_LOG__LEVEL"
    assert rows["workers.max"]["source"] == "default"
    assert b"sk-false" not in msgspec.json.encode(list(rows.values()))


def test_what_is_in_effect_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[server]\nbind = ["127.0.0.1:9"]\n')
    loaded = load(file, {})
    rows = {row["key"]: row for row in config_rows(loaded, in_effect(Config(), loaded.config))}
    assert rows["server.bind"]["value"] == ["127.0.0.1:8000"]
