from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwctl.editing import by_hand, put_in_place, read, with_setting, without_setting
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
        put_in_place(file, "[workers]\nmx = 1\nspares = 'no'\n[nonsense]\n")
    said = str(caught.value).splitlines()
    assert all(str(file) in line for line in said[:3]), "all errors at once, and of the file that is meant"
    assert said[3:] == ["nothing was changed"]
    assert file.read_text() == TEXT
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_what_it_takes_is_written_with_the_mode_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "config.toml"
    assert read(file) == ""
    put_in_place(file, TEXT)
    file.chmod(0o600)
    put_in_place(file, TEXT.replace("4", "5"))
    assert (read(file), file.stat().st_mode & 0o777) == (TEXT.replace("4", "5"), 0o600)


def test_editors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/4/7/")
    assert by_hand(TEXT) == TEXT.replace("4", "7")
    for editor, said in (("false", "ended with status 1"), ("/nowhere/vi", "set EDITOR")):
        monkeypatch.setenv("EDITOR", editor)
        with pytest.raises(Problem, match=said):
            by_hand(TEXT)
