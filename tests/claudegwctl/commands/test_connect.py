from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegwctl.commands.connect import asks_for_keys
from claudegwctl.connecting.clients import CLIENTS, ClientProgram
from tests.control_cli import ctl, ctl_without_daemon
from tests.small_gateway import SmallGateway


def test_the_list_needs_no_daemon(tmp_path: Path) -> None:
    rows = ctl_without_daemon("connect", "--json", HOME=str(tmp_path)).json["clients"]
    assert [row["client"] for row in rows] == [client.name for client in CLIENTS]
    assert not any(row["connected"] for row in rows)


async def test_a_snippet(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    gateway.config_file.write_text('[claude]\naliases = { opus = "sonnet" }\n')
    await ctl(socket, "reload")
    done = await ctl(socket, "connect", "opencode", "-m", "opus", HOME=str(tmp_path), XDG_CONFIG_HOME="")
    provider = json.loads(done.out)["provider"]["claudegwd"]
    assert provider["options"] == {"baseURL": "http://127.0.0.1:8000/v1", "apiKey": "any"}
    assert list(provider["models"]) == ["opus"]
    assert str(tmp_path / ".config/opencode/opencode.json") in done.err
    assert not (tmp_path / ".config").exists()
    assert "OPENAI_API_KEY=any" in (await ctl(socket, "connect", "shell")).out


async def test_a_model_that_there_is_not(socket: Path, tmp_path: Path) -> None:
    done = await ctl(socket, "connect", "aider", "-m", "sonet", "--write", HOME=str(tmp_path))
    assert (done.status, "did you mean 'sonnet'?" in done.err) == (1, True)
    assert not (tmp_path / ".aider.conf.yml").exists()
    assert (await ctl(socket, "connect", "shell", "-m", "sonnet[1m]")).status == 0


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "http://127.0.0.1:8000", "http:///v1", "http://[::1/v1", "gw"])
async def test_an_address_that_no_client_could_call(socket: Path, tmp_path: Path, url: str) -> None:
    done = await ctl(socket, "connect", "aider", "--url", url, "--write", HOME=str(tmp_path))
    assert (done.status, done.err.startswith(f"cannot use the address {url!r}: ")) == (2, True)
    assert not (tmp_path / ".aider.conf.yml").exists()


async def test_writing_with_a_key_of_its_own_and_removing(socket: Path, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path)}
    done = await ctl(socket, "connect", "aider", "--create-key", "--write", **here)
    assert done.status == 0, done.err
    file = tmp_path / ".aider.conf.yml"
    assert "openai-api-key: cgw-false-key-of-aider" in file.read_text()
    assert "cgw-false-key-of-aider" not in done.out
    again = await ctl(socket, "connect", "aider", "--create-key", "--write", **here)
    assert again.out == f"{file} needs no changes\n", "the key that it has already is kept"
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


# Written with its key, written without, and printed.
SOME = [client for client in CLIENTS if client.name in {"opencode", "zed", "cline"}]


async def clients_of(socket: Path) -> dict[str, str]:
    return {row["name"]: row["state"] for row in (await ctl(socket, "clients", "list", "--json")).json["clients"]}


@pytest.mark.parametrize("client", SOME, ids=lambda client: client.name)
async def test_a_dry_run_makes_no_key_and_writes_nothing(client: ClientProgram, socket: Path, tmp_path: Path) -> None:
    words = ["connect", client.name, "--create-key", "--dry-run", *(["--write"] if client.kind else [])]
    done = await ctl(socket, *words, HOME=str(tmp_path), XDG_CONFIG_HOME="")
    assert (done.status, "/v1" in done.out or "ANTHROPIC_BASE_URL" in done.out) == (0, True), done.err
    assert await clients_of(socket) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("client", SOME, ids=lambda client: client.name)
async def test_a_key_is_made_once(client: ClientProgram, socket: Path, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    write = ["--write"] if client.kind else []
    first = await ctl(socket, "connect", client.name, "--create-key", *write, **here)
    assert first.status == 0, first.err
    if not client.kept_key:
        assert f"cgw-false-key-of-{client.name}" in first.out + first.err, "nobody else tells it"
    again = await ctl(socket, "connect", client.name, "--create-key", *write, **here)
    assert again.status == 0, again.err
    assert await clients_of(socket) == {client.name: "active"}
    if not client.kept_key:
        assert f"`GATEWAY_KEY=$(claudegwctl clients rotate {client.name})" in again.err


@pytest.mark.parametrize("client", SOME[:2], ids=lambda client: client.name)
async def test_who_takes_it_out_is_told_of_the_key(client: ClientProgram, socket: Path, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    await ctl(socket, "connect", client.name, "--create-key", "--write", **here)
    done = await ctl(socket, "connect", client.name, "--remove", **here)
    assert (done.status, f"`claudegwctl clients remove {client.name}`" in done.err) == (0, True)
    if client.kept_key:
        done = await ctl(socket, "connect", client.name, "--create-key", "--write", **here)
        assert (done.status, f"claudegwctl connect {client.name} --write` replaces it" in done.err) == (1, True)
    await ctl(socket, "clients", "remove", client.name)
    done = await ctl(socket, "connect", client.name, "--create-key", "--write", **here)
    assert done.status == 0, done.err
    await ctl(socket, "clients", "revoke", client.name)
    done = await ctl(socket, "connect", client.name, "--remove", **here)
    assert (done.status, "still accepts" in done.err) == (0, False)


async def test_no_key_is_left_over_where_the_file_cannot_be_written(socket: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("{ mine }")
    done = await ctl(socket, "connect", "opencode", "--create-key", "--write", "--file", str(file))
    assert (done.status, f"cannot edit {file}: " in done.err) == (1, True)
    assert '"baseURL": "http://127.0.0.1:8000/v1"' in done.out, "what to paste"
    assert done.err.startswith(f"into {file}:\n")
    (tmp_path / "no-directory").write_text("")
    below = tmp_path / "no-directory" / "settings"
    assert (await ctl(socket, "connect", "aider", "--create-key", "--write", "--file", str(below))).status == 1
    assert await clients_of(socket) == {}


async def test_a_key_of_its_own_is_no_other_key(socket: Path, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path), "GATEWAY_KEY": "cgw-false-of-the-laptop"}
    await ctl(socket, "connect", "aider", "--write", **here)
    assert "cgw-false-of-the-laptop" in (tmp_path / ".aider.conf.yml").read_text()
    await ctl(socket, "connect", "aider", "--write", "--create-key", **here)
    assert "cgw-false-key-of-aider" in (tmp_path / ".aider.conf.yml").read_text()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nobody",), 1, "cannot connect 'nobody': "),
        (("cursor", "--write"), 1, "cannot edit the settings of Cursor: "),
        (("aider", "--write", "--remove"), 2, "cannot combine "),
    ],
)
def test_what_cannot_be_done(words: tuple[str, ...], status: int, said: str) -> None:
    done = ctl_without_daemon("connect", *words)
    assert (done.status, done.err[: len(said)]) == (status, said)


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
