from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path

import pytest
import trio

from claudegwctl.commands.keys import TELLING, entries
from claudegwctl.problems import Problem
from claudegwd.keys.parse import KIND_OF
from tests.control_cli import ctl, environment
from tests.small_gateway import TOKENS, SmallGateway

NEW_TOKEN = "sk-false-third-0003"


def saved(gateway: SmallGateway) -> dict[str, dict[str, str]]:
    return {key["name"]: key for key in json.loads(gateway.keys_file.read_text())["claude_api_keys"]}


async def test_listing(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "keys", "list")
    heads, *rows = done.out.splitlines()
    assert heads.split() == ["NAME", "STATE", "TOKEN", "REQUESTS", "LAST", "USED", "LAST", "ERROR"]
    assert [row.split()[:3] for row in rows] == [
        ["primary", "active", "…0001"],
        ["second", "ready", "…0002"],
        ["off", "disabled", "…0003"],
    ]
    assert not any(token in done.out for token in TOKENS)
    assert (await ctl(socket, "keys", "list", "--json")).json["origin"] == str(gateway.keys_file)


async def test_no_keys(gateway: SmallGateway, socket: Path) -> None:
    gateway.keys_file.write_text('{"claude_api_keys": []}')
    await gateway.reload_keys()
    listed = await ctl(socket, "keys", "list")
    assert listed.out.startswith("no keys: the login of the Claude Code CLI or the daemon's environment is used")


async def test_the_token_comes_from_standard_input(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(
        socket, "keys", "add", "third", "--base-url", "https://three.invalid", "--kind", "api_key", "--disabled",
        stdin=NEW_TOKEN + "\n",
    )  # fmt: skip
    assert done.out == "added third (disabled); `claudegwctl keys test third` tests it\n"
    assert saved(gateway)["third"] == {
        "name": "third", "token": NEW_TOKEN, "base_url": "https://three.invalid", "kind": "api_key",
        "status": "disabled",
    }  # fmt: skip


async def test_what_was_understood_otherwise_is_said(gateway: SmallGateway, socket: Path) -> None:
    token = "sk-ant-api03-false-0004"
    done = await ctl(socket, "keys", "add", "third", "--base-url", "https://three.invalid/v1", stdin=token)
    assert [line.split(":")[0] for line in done.out.splitlines()[1:]] == ["note", "note"]
    assert saved(gateway)["third"] == {"name": "third", "token": token, "base_url": "https://three.invalid"}
    assert gateway.ring.snapshot(0)[-1]["kind"] == "api_key"
    assert token not in done.out


async def test_nobody_is_asked_for_a_token_in_vain(socket: Path) -> None:
    """Nothing is read from standard input: not where there is no daemon, and not for a name that is taken."""
    done = await ctl(socket, "keys", "add", "primary", stdin="")
    assert (done.status, done.err.split(";")[0]) == (1, "cannot add key 'primary': that name is taken")
    done = await ctl(socket.with_name("absent.sock"), "keys", "add", "third", stdin="")
    assert done.status != 0
    assert "no token" not in done.err


async def test_the_token_is_asked_for_without_echo(gateway: SmallGateway, socket: Path) -> None:
    leader, follower = pty.openpty()
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "keys", "add", "third"],
        stdin=follower, stdout=follower, stderr=follower, env=environment(), start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(follower)
    screen = b""
    terminal = trio.lowlevel.FdStream(leader)
    while b"not shown" not in screen:
        screen += await terminal.receive_some()
    await terminal.send_all(NEW_TOKEN.encode() + b"\n")
    while b"(api_key)? [auth_token]: " not in screen:
        screen += await terminal.receive_some()
    await terminal.send_all(b"what?\n")
    while b"enter auth_token or api_key" not in screen:
        screen += await terminal.receive_some()
    await terminal.send_all(b"api_key\n")
    while b"added third" not in screen:
        screen += await terminal.receive_some()
    assert await process.wait() == 0
    await terminal.aclose()
    assert NEW_TOKEN.encode() not in screen
    assert saved(gateway)["third"]["token"] == NEW_TOKEN
    assert saved(gateway)["third"]["kind"] == "api_key"


async def test_how_it_is_sent_is_said_where_nobody_is_asked(socket: Path) -> None:
    done = await ctl(socket, "keys", "add", "third", "--json", stdin=NEW_TOKEN)
    assert (done.status, done.json["kind"]) == (0, "auth_token")
    assert "as a Bearer token (`claudegwctl keys add third --replace --kind …`" in done.err
    for place, start in enumerate(TELLING):
        assert (await ctl(socket, "keys", "add", f"new-{place}", stdin=f"{start}01-false-1")).err == ""
    assert (await ctl(socket, "keys", "add", "fourth", "--kind", "api_key", stdin=NEW_TOKEN)).err == ""


def test_the_beginnings_that_tell_are_those_that_the_daemon_knows() -> None:
    assert set(TELLING) == set(KIND_OF)


async def test_no_token(socket: Path) -> None:
    done = await ctl(socket, "keys", "add", "third")
    assert done.status == 1
    assert done.err.startswith("cannot add third: no token given")


async def test_several_lines_are_no_token(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "keys", "add", "third", stdin=f"{NEW_TOKEN}\nsk-false-other-0004\n")
    assert (done.status, done.out) == (1, "")
    assert done.err == "cannot add third: the input has several lines; give one token, on one line\n"
    assert "third" not in saved(gateway)
    assert (await ctl(socket, "keys", "add", "third", "--kind", "api_key", stdin=f"\n {NEW_TOKEN}\n\n")).status == 0
    assert saved(gateway)["third"]["token"] == NEW_TOKEN


async def test_hints_can_be_pasted_into_a_shell(socket: Path) -> None:
    done = await ctl(socket, "keys", "add", "my key", stdin=NEW_TOKEN)
    assert done.out == "added my key (ready); `claudegwctl keys test 'my key'` tests it\n"
    assert "`claudegwctl keys add 'my key' --replace --kind …`" in done.err
    done = await ctl(socket, "keys", "add", "my key", "--replace", "--kind", "api_key", stdin=NEW_TOKEN)
    assert done.out == "replaced my key (ready); `claudegwctl keys test 'my key'` tests it\n"


async def test_a_name_that_is_taken(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "keys", "add", "primary", stdin=NEW_TOKEN)
    assert done.status == 1
    assert done.err.startswith("cannot add key 'primary': that name is taken")
    assert (await ctl(socket, "keys", "add", "primary", "--replace", stdin=NEW_TOKEN)).status == 0
    assert saved(gateway)["primary"]["token"] == NEW_TOKEN


async def test_disable_enable_remove(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "keys", "disable", "primary")).out == "primary is disabled\n"
    assert (await ctl(socket, "keys", "enable", "primary")).out == "primary is ready\n"
    assert (await ctl(socket, "keys", "remove", "primary", "--json")).json == {"removed": "primary"}
    assert list(saved(gateway)) == ["second", "off"]
    done = await ctl(socket, "keys", "remove", "primary")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cannot find key 'primary'")


async def test_renaming(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "keys", "rename", "second", "home")).out == "second is now home\n"
    assert list(saved(gateway)) == ["primary", "home", "off"]
    done = await ctl(socket, "keys", "rename", "home", "primary")
    assert (done.status, done.err) == (
        1,
        "cannot rename key 'home': the name 'primary' is taken; remove that key or choose another name\n",
    )


async def test_testing(socket: Path) -> None:
    assert (await ctl(socket, "keys", "test", "second")).out == "second works (0.2 s)\n"
    done = await ctl(socket, "keys", "test", "primary")
    assert (done.status, done.out) == (1, "")
    assert done.err == "cannot use key primary: authentication (401); see `claudegwctl logs`\n"
    done = await ctl(socket, "keys", "test", "primary", "--json")
    assert (done.status, done.json["ok"]) == (1, False)
    done = await ctl(socket, "keys", "test")
    assert (done.status, done.out) == (
        1,
        "primary does not work: authentication (401)\nsecond works (0.2 s)\noff does not work: authentication (401)\n",
    )
    assert done.err.startswith("cannot use keys primary: authentication (401), off: authentication (401);")
    rows = (await ctl(socket, "keys", "test", "--json")).json["keys"]
    assert [(row["name"], row["ok"]) for row in rows] == [("primary", False), ("second", True), ("off", False)]


async def test_importing(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    keys = [{"name": "third", "token": NEW_TOKEN}, {"name": "primary", "token": NEW_TOKEN}]
    file.write_text(f"HOST=x\nCLAUDE_API_KEYS='{json.dumps(keys)}'\n")
    assert (await ctl(socket, "keys", "import", str(file))).out == "added: third\nalready present: primary\n"
    assert saved(gateway)["third"]["token"] == NEW_TOKEN
    assert (await ctl(socket, "keys", "import", "-", "--json", stdin=json.dumps(keys))).json == {
        "added": [],
        "skipped": ["third", "primary"],
        "notes": [],
    }
    assert (await ctl(socket, "keys", "import", str(tmp_path / "absent"))).status == 2


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a"}]',
        '{"claude_api_keys": [{"name": "a"}]}',
        '\ufeff{"claude_api_keys": [{"name": "a"}]}',
        '\ufeffCLAUDE_API_KEYS=[{"name": "a"}]',
        'CLAUDE_API_KEYS=[{"name": "a"}]',
        r'CLAUDE_API_KEYS="[{\"name\": \"a\"}]"',
        '# old\nexport CLAUDE_API_KEYS=\'[{"name": "a"}]\'\nX=1\n',
    ],
)
def test_files_that_hold_keys(text: str) -> None:
    assert entries(text) == [{"name": "a"}]


@pytest.mark.parametrize("text", ["", "{}", "5", "sk-false-1", "CLAUDE_API_KEYS=x", '"x"'])
def test_files_that_do_not(text: str) -> None:
    with pytest.raises(Problem, match=r"cannot import: the file is not keys\.json") as caught:
        entries(text)
    assert "sk-false" not in str(caught.value)


@pytest.mark.parametrize("source", ["/dev/zero", "binary"])
async def test_what_is_no_text_is_not_imported(socket: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "binary").write_bytes(b'{"claude_api_keys": [{"name": "x", "token": "sk-false-\xff"}]}')
    with trio.fail_after(30):
        done = await ctl(socket, "keys", "import", str(tmp_path / source))
    assert (done.status in (1, 2), done.out, done.err[:7]) == (True, "", "cannot ")
    assert done.err.count("\n") == 1


async def test_names_that_are_empty(socket: Path) -> None:
    for words in (("remove", ""), ("disable", ""), ("rename", "primary", ""), ("test", ""), ("add", "")):
        done = await ctl(socket, "keys", *words)
        assert (done.status, done.out, "empty" in done.err) == (2, "", True)
