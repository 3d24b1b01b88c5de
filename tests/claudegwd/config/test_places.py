"""A workspace opens nothing of the daemon's own: not what is secret, nor what it runs."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import get_type_hints

import pytest

from claudegwd.config import places
from claudegwd.config.load import load
from claudegwd.config.places import OwnPlaces, check_places, files_named
from claudegwd.config.problems import ConfigError, Errors
from claudegwd.config.schema import Config, Section, WorkspaceConfig


def load_with(tmp_path: Path, text: str, env: Mapping[str, str] | None = None, **more: object) -> Config:
    home, repo = tmp_path / "home", tmp_path / "repo"
    for path in (home / "state", repo / "deep"):
        path.mkdir(parents=True, exist_ok=True)
    rest = "".join(f"{key} = {value}\n" for key, value in more.items())
    (home / "config.toml").write_text(f'{text}\n[workspaces.a]\ndirectory = "{repo}"\n{rest}')
    places = {"HOME": str(home), "STATE_DIRECTORY": str(home / "state"), "CLAUDEGWD_SOCKET": str(home / "s")}
    return load(home / "config.toml", {**places, **(env or {})}).config


# All settings that name files, by their types; the value is the name, or a list of it.
FILES = [
    (section.removesuffix("Config").lower(), name, "tuple" in str(hint))
    for section, kind in ((each.__name__, each) for each in Section.__subclasses__())
    if section not in ("Config", "WorkspaceConfig")
    for name, hint in get_type_hints(kind, include_extras=True).items()
    if "x00" in str(hint) and (section, name) != ("ClaudeConfig", "binary")
]


def test_settings_that_name_files_are_found() -> None:
    assert {("shared", "password_file", False), ("keys", "file", False), ("keys", "shell_files", True)} <= {*FILES}
    assert list(files_named(Config())) == []


@pytest.mark.parametrize(("section", "name", "several"), FILES)
def test_no_file_that_a_setting_names_is_opened(tmp_path: Path, section: str, name: str, several: bool) -> None:
    for file in ("secret", "deep/secret"):
        path = f"{tmp_path}/repo/{file}"
        value = f'["{path}"]' if several else f'"{path}"'
        with pytest.raises(ConfigError, match="where the daemon keeps its own files"):
            load_with(tmp_path, f"[{section}]\n{name} = {value}")


def test_neither_are_credentials_of_systemd(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="where the daemon keeps its own files"):
        load_with(tmp_path, "", {"CREDENTIALS_DIRECTORY": f"{tmp_path}/repo/deep"})


WRITES = {"tools": '["Edit"]'}


@pytest.mark.parametrize(
    "text", ['[notify]\ncommand = "REPO/deep/tell-me"', '[claude]\nbinary = "REPO/claude"', '[claude]\nbinary = "LINK"']
)
def test_what_the_daemon_runs_is_not_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "repo" / "deep").mkdir(parents=True)
    for program in ("deep/tell-me", "claude"):
        (tmp_path / "repo" / program).touch(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "repo" / "claude")
    text = text.replace("REPO", f"{tmp_path}/repo").replace("LINK", f"{tmp_path}/link")
    with pytest.raises(ConfigError, match="where the daemon's own programs could be changed"):
        load_with(tmp_path, text, **WRITES)
    load_with(tmp_path, text)


def test_nor_is_its_own_code(tmp_path: Path) -> None:
    libraries, standard = Path(sysconfig.get_path("purelib")), Path(os.__file__).parent
    ours = (libraries, libraries / "hypothesis", standard, standard / "json", Path(places.__file__).parent)
    for place in (Path(sys.prefix), Path(sys.prefix).parent, Path(sys.prefix) / "bin", *ours):
        rule = f'["Edit(/{place}/**)"]'
        with pytest.raises(ConfigError, match="where the daemon's own programs could be changed"):
            load_with(tmp_path, "", tools='["Edit"]', allow=rule)


def test_nor_is_a_cli_that_is_found_on_path(tmp_path: Path) -> None:
    programs = tmp_path / "repo" / "programs"
    programs.mkdir(parents=True)
    (programs / "claude").touch(0o700)
    with pytest.raises(ConfigError, match="where the daemon's own programs could be changed"):
        load_with(tmp_path, "", {"PATH": f"/usr/bin:{programs}"}, **WRITES)
    load_with(tmp_path, "", {"PATH": f"/usr/bin:{programs}"})


def test_the_scratch_directories_of_others_are_not_opened() -> None:
    own, errors = OwnPlaces([], [], Path("/var/tmp/scratch")), Errors()
    workspace = WorkspaceConfig(
        directory="/usr/share", allow=("Read(//var/tmp/scratch/**)", "Read(//var/tmp/other/**)")
    )
    check_places({"a": workspace}, "config.toml", own, errors)
    with pytest.raises(
        ConfigError, match="exposes /var/tmp/scratch, where all processes have their scratch directories"
    ):
        errors.done()


def test_the_servers_are_not_written_by_who_is_served(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    servers = tmp_path / "repo" / "servers.json"
    servers.write_text("{}")
    with pytest.raises(ConfigError, match="move it to where no workspace writes"):
        load_with(tmp_path, "", mcp=f'"{servers}"', **WRITES)
    load_with(tmp_path, "", mcp=f'"{servers}"')


@pytest.mark.parametrize("wanted", ["directory", "allow", "mcp"])
def test_no_path_leads_through_a_link_that_somebody_in_a_workspace_can_change(tmp_path: Path, wanted: str) -> None:
    """A command there could have it lead anywhere before the next start."""
    (tmp_path / "repo").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "servers.json").write_text("{}")
    (tmp_path / "repo" / "link").symlink_to(tmp_path / "target")
    (tmp_path / "first").symlink_to(tmp_path / "repo" / "link")
    for link in (tmp_path / "repo" / "link", tmp_path / "first"):
        other = {
            "directory": f'directory = "{link}"',
            "allow": f'directory = "{tmp_path}/target"\nallow = ["Read(/{link}/**)"]',
            "mcp": f'directory = "{tmp_path}/target"\nmcp = "{link}/servers.json"',
        }[wanted]
        text = f"[workspaces.other]\n{other}"
        says = (
            "move it to where no" if wanted == "mcp" else f"leads through {tmp_path}/repo/link, a link that Claude can"
        )
        with pytest.raises(ConfigError, match=says):
            load_with(tmp_path, text, **WRITES)
        load_with(tmp_path, text)
