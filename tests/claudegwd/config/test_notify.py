from __future__ import annotations

from pathlib import Path

import pytest

from claudegwd.config import ConfigError, config_rows, diff, load
from claudegwd.config.notify import check_notify, without_secret, words_of
from claudegwd.config.schema import Config, NotifyConfig


def config(**fields: object) -> Config:
    return Config(notify=NotifyConfig(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", ()),
        ((), ()),
        ("/bin/tell", ("/bin/tell",)),
        ("/bin/tell 'two words' three", ("/bin/tell", "two words", "three")),
        (("/bin/tell", "two words"), ("/bin/tell", "two words")),
    ],
)
def test_words_are_read_as_a_shell_would(command: str | tuple[str, ...], words: tuple[str, ...]) -> None:
    assert words_of(command) == words
    assert check_notify(config(command=command)) is None


@pytest.mark.parametrize("command", ["'", "''", ("",), ("/bin/tell", "\x00")])
def test_no_command(command: str | tuple[str, ...]) -> None:
    key, text = check_notify(config(command=command)) or ("", "")
    assert key == "notify.command"
    assert '["/usr/local/bin/tell-me", "--soon"]' in text


@pytest.mark.parametrize(
    "url",
    ["", "https://hooks.example.org/a?b=c", "https://hooks.example.org:8443", "http://127.0.0.1:9000/", "http://[::1]",
     "http://localhost:1/x", "http://127.3.2.1"],
)  # fmt: skip
def test_an_address(url: str) -> None:
    assert check_notify(config(url=url)) is None


@pytest.mark.parametrize(
    "url",
    ["hooks.example.net", "http://hooks.example.org/", "http://192.168.1.1/", "ftp://127.0.0.1/", "https:///x", "https://?x",
     "https://me:sk-false-1@hooks.example.org/", "https://hooks.example.org:99999/", "https://hooks.example.org:0/",
     "https://hooks.example.org/a b", "https://hooks.example.org/\r\nx: y", "https://höoks.example.org/", "http://[::2]/",
     "http://localhost.example.org/", "https://[/",
     "https://hooks..example.org/"],
)  # fmt: skip
def test_no_address(url: str) -> None:
    key, text = check_notify(config(url=url)) or ("", "")
    assert key == "notify.url"
    assert "https address" in text
    assert url not in text, "it may hold a secret"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("command = 5", "notify.command must be a program's path, or a list"),
        ('command = ["a", 5]', "notify.command must be a program's path, or a list"),
        ('command = "/absent/tell-me"', "notify.command names a program that does not exist"),
        ('command = "/etc/passwd"', "or that the daemon's user may not run: give its full path"),
        ("url = 5", "notify.url must be an address such as"),
        ('url = "http://hooks.example.org/secret"', "notify.url must be an https address"),
        ('uri = "https://hooks.example.org"', "did you mean notify.url?"),
    ],
)
def test_what_cannot_be_used_names_key_and_form(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[notify]\n{line}\n")
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    assert says in str(refused.value)
    assert "secret" not in str(refused.value).replace("may hold a secret", "")


def test_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch()

    def found(text: str) -> tuple[str, ...]:
        return words_of(load(file, {"CLAUDEGWD_NOTIFY__COMMAND": text}).config.notify.command)

    assert found("/bin/echo A") == ("/bin/echo", "A")
    assert found('["/bin/echo", "A b"]') == ("/bin/echo", "A b")


def test_what_follows_the_host_is_shown_to_nobody(tmp_path: Path) -> None:
    assert without_secret("") == ""
    file = tmp_path / "config.toml"
    file.write_text('[notify]\nurl = "https://hooks.example.org/T0/hidden?token=hidden"\n')
    loaded = load(file, {})
    assert loaded.config.notify.url.endswith("hidden")
    shown = [config_rows(loaded), [change.as_dict() for change in diff(Config(), loaded.config)]]
    assert "https://hooks.example.org/…" in str(shown)
    assert "hidden" not in str(shown)
