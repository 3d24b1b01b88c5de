from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegwctl.commands.connect import asks_for_keys
from claudegwctl.connecting.clients import CLIENTS
from tests.control_cli import ctl, ctl_without_daemon
from tests.small_gateway import SmallGateway


def test_the_list_needs_no_daemon(tmp_path: Path) -> None:
    rows = ctl_without_daemon("connect", "--json", HOME=str(tmp_path)).json["clients"]
    assert [row["client"] for row in rows] == [client.name for client in CLIENTS]
    assert not any(row["connected"] for row in rows)


async def test_a_snippet(socket: Path, tmp_path: Path) -> None:
    done = await ctl(socket, "connect", "opencode", "-m", "opus", HOME=str(tmp_path), XDG_CONFIG_HOME="")
    provider = json.loads(done.out)["provider"]["claudegwd"]
    assert provider["options"] == {"baseURL": "http://127.0.0.1:8000/v1", "apiKey": "any"}
    assert list(provider["models"]) == ["opus"]
    assert str(tmp_path / ".config/opencode/opencode.json") in done.err
    assert not (tmp_path / ".config").exists()
    assert "OPENAI_API_KEY=any" in (await ctl(socket, "connect", "shell")).out


async def test_writing_with_a_key_of_its_own_and_removing(socket: Path, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path)}
    done = await ctl(socket, "connect", "aider", "--create-key", "--write", **here)
    assert done.status == 0, done.err
    file = tmp_path / ".aider.conf.yml"
    assert "openai-api-key: cgw-false-key-of-aider" in file.read_text()
    assert "cgw-false-key-of-aider" not in done.out
    again = await ctl(socket, "connect", "aider", "--create-key", "--write", **here)
    assert again.out == f"{file} needs no change\n", "the key that it has already is kept"
    rows = ctl_without_daemon("connect", "--json", **here).json["clients"]
    assert [row["client"] for row in rows if row["connected"]] == ["aider"]
    assert (await ctl(socket, "connect", "aider", "--remove", **here)).status == 0
    assert not file.exists()


async def test_where_a_key_is_asked_for(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    gateway.config_file.write_text("[auth]\nrequired = true\n")
    await ctl(socket, "reload")
    done = await ctl(socket, "connect", "codex", "--write", HOME=str(tmp_path))
    assert (done.status, "--create-key" in done.err) == (1, True)
    done = await ctl(socket, "connect", "cursor", "--url", "https://x.example/v1/")
    assert "https://x.example/v1\n" in done.out
    assert "YOUR-KEY" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "cannot connect 'nobody': "),
        (("cursor", "--write"), "cannot edit the settings of Cursor: "),
        (("aider", "--write", "--remove"), "cannot both "),
    ],
)
def test_what_cannot_be_done(words: tuple[str, ...], said: str) -> None:
    done = ctl_without_daemon("connect", *words)
    assert (done.status, done.err[: len(said)]) == (1, said)


@pytest.mark.parametrize(
    ("required", "binds", "asked"),
    [
        (True, ["127.0.0.1:1"], True),
        (False, ["0.0.0.0:1"], False),
        ("auto", ["127.0.0.1:1", "[::1]:1"], False),
        ("auto", ["127.0.0.1:1", "192.0.2.1:1"], True),
    ],
)
def test_whether_a_key_is_asked_for(required: object, binds: list[str], asked: bool) -> None:
    assert asks_for_keys(required, binds) is asked
