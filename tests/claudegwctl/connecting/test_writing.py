from __future__ import annotations

import os
from pathlib import Path

import pytest

from claudegwctl.connecting.clients import CLIENTS, ClientProgram, Wanted
from claudegwctl.connecting.writing import (
    BACKUP_SUFFIX,
    apply,
    connected,
    disconnected,
    file_of,
    is_connected,
    key_in,
)
from claudegwctl.problems import Problem

TO = Wanted("http://127.0.0.1:8000/v1", "cgw-false-1234", "opus")
WRITTEN = [client for client in CLIENTS if client.kind is not None]
BEFORE = {
    "json": '{"theme": "dark"}',
    "toml": 'model = "gpt-5"  # mine\n\n[tui]\nx = 1\n',
    "yaml": "# mine\nmodel: gpt-5\nmodels:\n- name: theirs\n",
}
each = pytest.mark.parametrize("client", WRITTEN, ids=lambda client: client.name)


@each
def test_there_and_back_again(client: ClientProgram, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    before = BEFORE[client.kind or ""]
    file.write_text(before)
    file.chmod(0o640)
    apply(connected(client, TO, file))
    assert is_connected(client, file)
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / f"settings{BACKUP_SUFFIX}").read_text() == before
    assert connected(client, TO, file).is_none, "once more changes nothing"
    apply(connected(client, Wanted(TO.url, TO.key, "haiku"), file))
    assert (tmp_path / f"settings{BACKUP_SUFFIX}").read_text() == before, "what is kept is how it was without us"
    apply(disconnected(client, file))
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["settings"]
    assert disconnected(client, file).is_none
    apply(disconnected(client, file))  # again: there is nothing to do


@each
def test_a_file_of_ours_alone_goes_again(client: ClientProgram, tmp_path: Path) -> None:
    file = tmp_path / "new" / "settings"
    apply(connected(client, TO, file))
    assert file.stat().st_mode & 0o777 == 0o600
    if client.kept_key:
        assert key_in(client, file) == TO.key
    apply(disconnected(client, file))
    assert list((tmp_path / "new").iterdir()) == []


@each
def test_what_its_owner_changed_since_stays(client: ClientProgram, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(BEFORE[client.kind or ""])
    apply(connected(client, TO, file))
    text = file.read_text()
    later = {"json": ('"theme": "dark"', '"theme": "light"'), "toml": ("x = 1", "x = 2"), "yaml": ("theirs", "others")}
    old, new = later[client.kind or ""]
    assert old in text
    file.write_text(text.replace(old, new))
    apply(disconnected(client, file))
    assert (
        file.read_text().split()
        == BEFORE[client.kind or ""].replace(old, new).replace("{", "{ ").replace("}", " }").split()
    )
    assert not is_connected(client, file)


@each
def test_the_difference_shows_no_key(client: ClientProgram, tmp_path: Path) -> None:
    text = "\n".join(connected(client, TO, tmp_path / "settings").lines())
    assert TO.key not in text
    assert TO.url in text
    assert not client.kept_key or "cgw-…1234" in text


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.yml", tmp_path / "settings"
    real.write_text("# mine\n")
    link.symlink_to(real)
    aider = next(client for client in CLIENTS if client.name == "aider")
    apply(connected(aider, TO, link))
    assert link.is_symlink()
    assert TO.url in real.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write another user's files")
@pytest.mark.parametrize("file", ["settings", "new", "a/b/new"])
def test_written_by_root_it_belongs_to_whose_it_is(tmp_path: Path, file: str) -> None:
    os.chown(tmp_path, 65534, 65534)
    (tmp_path / "settings").write_text("{}")
    os.chown(tmp_path / "settings", 65534, 65534)
    apply(connected(next(client for client in WRITTEN if client.kind == "json"), TO, tmp_path / file))
    assert (tmp_path / file).read_text() != "{}"
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {65534}


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "no-directory").write_text("")
    with pytest.raises(Problem, match=r"^cannot (read|write) .*by hand$"):
        apply(connected(WRITTEN[0], TO, tmp_path / "no-directory" / "settings"))


def test_where_the_files_are(tmp_path: Path) -> None:
    places = {client.name: file_of(client, {"CODEX_HOME": "/c"}, tmp_path) for client in WRITTEN}
    assert places["codex"] == Path("/c/config.toml")
    assert places["opencode"] == tmp_path / ".config/opencode/opencode.json"
    assert places["aider"] == tmp_path / ".aider.conf.yml"
