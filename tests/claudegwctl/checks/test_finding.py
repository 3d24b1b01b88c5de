from __future__ import annotations

import os
from pathlib import Path

from claudegwctl.checks.finding import Finding, Scene, is_mine, read_settings


def test_settings_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert read_settings(file, {}) == {}
    file.write_text('top = 1\n[claude]\nbinary = "/a"\n[server]\nbind = ["x:1"]\n')
    assert read_settings(file, {}) == {"claude.binary": "/a", "server.bind": ["x:1"]}
    env = {"CLAUDE_BINARY_PATH": "/b", "CLAUDEGWD_SERVER__BIND": "y:1, z:2", "CLAUDEGWD_KEYS__FILE": "/k"}
    assert read_settings(file, env) == {"claude.binary": "/b", "server.bind": ["y:1", "z:2"], "keys.file": "/k"}
    file.write_bytes(b"\xef\xbb\xbf[workers]\nmax = 3\n")
    assert read_settings(file, {}) == {"workers.max": 3}
    for text, binds in (("[::1]:1,x:2", ["[::1]:1", "x:2"]), ('["[::1]:1", "x:2"]', ["[::1]:1", "x:2"])):
        assert read_settings(file, {"CLAUDEGWD_SERVER__BIND": text})["server.bind"] == binds
    file.write_text("broken")
    assert read_settings(file, {}) == {}


def test_where_it_listens() -> None:
    def scene(**more: object) -> Scene:
        return Scene({}, Path("/s"), Path("/c"), **more)  # type: ignore[arg-type]

    assert scene().binds == ["127.0.0.1:8000"]
    assert scene(settings={"server.bind": ["x:1"]}).binds == ["x:1"]
    assert scene(settings={"server.bind": "wrong"}).binds == []
    assert scene(status={"binds": ["y:2"]}, settings={"server.bind": ["x:1"]}).binds == ["y:2"]


def test_a_finding_as_json() -> None:
    assert Finding("port", "ok", "free").as_dict() == {"about": "port", "level": "ok", "says": "free", "mend": ""}


def test_whose() -> None:
    assert is_mine(os.geteuid())
    assert is_mine(0)
    assert not is_mine(65533)
