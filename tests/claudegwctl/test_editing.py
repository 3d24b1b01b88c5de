from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwctl.editing import (
    by_hand,
    change,
    checked_workspaces,
    read,
    with_setting,
    with_workspace,
    without_setting,
    without_workspace,
    workspaces_in,
)
from claudegwctl.problems import Problem

TEXT = '# mine\n[workers]\nmax = 4  # enough\n\n[log]\nlevel = "debug"\n'


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("workers.max", "6", 6),
        ("log.level", "info", "info"),
        ("log.level", '"info"', "info"),
        ("claude.models", '["a", "b"]', ["a", "b"]),
        ("auth.required", "true", True),
        ("server.bind", '["127.0.0.1:1"]', ["127.0.0.1:1"]),
    ],
)
def test_setting_keeps_comments(key: str, value: str, found: object) -> None:
    text = with_setting(TEXT, key, value)
    section, name = key.split(".")
    assert tomllib.loads(text)[section][name] == found
    assert "# mine" in text
    assert "# enough" in text
    assert without_setting(text, key).count(name) == 0


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))))
def test_any_value_leaves_valid_toml(value: str) -> None:
    assert set(tomllib.loads(with_setting(TEXT, "claude.binary", value))) == {"workers", "log", "claude"}


@pytest.mark.parametrize("key", ["workers", ".max", "workers.", ""])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(Problem, match=r"^cannot set "):
        with_setting(TEXT, key, "1")


def test_what_is_no_toml() -> None:
    with pytest.raises(Problem, match=r"^cannot change the configuration: it is not valid TOML"):
        with_setting("[a", "workers.max", "1")


def test_what_the_daemon_would_refuse_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TEXT)
    with pytest.raises(Problem) as caught:
        change(file, lambda _: "[workers]\nmx = 1\nspares = 'no'\n[nonsense]\n")
    said = str(caught.value).splitlines()
    assert all(str(file) in line for line in said[:3]), "all errors at once, and of the file that is meant"
    assert (len(said), said[2].endswith(" (nothing was changed)")) == (3, True)
    assert file.read_text() == TEXT
    assert sorted(path.name for path in tmp_path.iterdir()) == [".config.toml.lock", "config.toml"]


def test_what_it_takes_is_written_with_the_mode_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "config.toml"
    assert read(file) == ""
    assert change(file, lambda _: TEXT) == (TEXT, True)
    file.chmod(0o600)
    assert change(file, lambda text: text.replace("4", "5")) == (TEXT.replace("4", "5"), True)
    assert change(file, lambda text: text) == (TEXT.replace("4", "5"), False)
    assert (read(file), file.stat().st_mode & 0o777) == (TEXT.replace("4", "5"), 0o600)


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read(file) == TEXT
    assert change(file, lambda text: with_setting(text, "workers.max", "5"))[1]
    assert file.read_text() == TEXT.replace("4", "5")


def test_editors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/4/7/")
    assert by_hand(TEXT) == TEXT.replace("4", "7")
    for editor, said in (("false", "exited with status 1"), ("/nowhere/vi", "set EDITOR")):
        monkeypatch.setenv("EDITOR", editor)
        with pytest.raises(Problem, match=said):
            by_hand(TEXT)


SPACES = (
    TEXT
    + """
[workspaces.a]
directory = "/a"  # here

# about b
[workspaces.b]
directory = "/b"

# about the rest
[server]
max_body_bytes = 5
"""
)


@pytest.mark.parametrize("text", ["", TEXT, SPACES, TEXT.rstrip()])
def test_a_workspace_comes_and_goes_and_all_else_stays(text: str) -> None:
    settings = {"directory": '/a "b"', "allow": ["Bash(pytest *)"], "anonymous": True}
    new = with_workspace(text, "shop", settings)
    assert new.startswith(text.rstrip())
    assert workspaces_in(new) == {**workspaces_in(text), "shop": settings}
    assert without_workspace(new, "shop") == (text if not text or text.endswith("\n") else text + "\n")


@pytest.mark.parametrize("name", ["a", "b"])
def test_comments_about_what_follows_stay(name: str) -> None:
    new = without_workspace(SPACES, name)
    expected = tomllib.loads(SPACES)
    del expected["workspaces"][name]
    assert tomllib.loads(new) == expected
    for comment in ("# mine", "# enough", "# about b", "# about the rest"):
        assert comment in new
    assert new.index("# about the rest") == new.index("[server]") - len("# about the rest\n")


@pytest.mark.parametrize(
    "text",
    [
        'workspaces = { a = { directory = "/a" } }\n',
        '[workspaces]\na = { directory = "/a" }\n',
        '[workspaces]\na.directory = "/a"\n',
        '["workspaces"."a"]\ndirectory = "/a"\n',
    ],
)
def test_a_workspace_goes_however_it_is_written(text: str) -> None:
    assert list(workspaces_in(text)) == ["a"]
    assert workspaces_in(without_workspace(text, "a")) == {}


def test_workspaces_are_checked_by_the_daemons_own_rules(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[workspaces.a]\ndirectory = "/nowhere"\n')
    found = checked_workspaces(file, tmp_path)
    assert found["path"] == str(file)
    assert found["errors"][0].startswith(f"cannot use {file}: workspaces.a.directory is not an existing directory")
