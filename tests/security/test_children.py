"""What reaches a CLI process: of a client only what its standard input brings, of the daemon only what is listed."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from claudegwd.claude_cli.launch import CREDENTIALS, environment
from claudegwd.demo.script import ScriptedReply, Text, Wait
from tests.arrivals import arrived
from tests.e2e.harness import MODEL, Running, running
from tests.fake_binary import write_fake_cli
from tests.security.children import Child, children

MARK = "zqmark"
SECRETS = {
    name: f"sk-false-{name.lower().replace('_', '-')}"
    for name in (
        "MY_CLOUD_SECRET", "GITHUB_TOKEN", "DATABASE_URL", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "MY_PASSWORD",
        "ANTHROPIC_MODEL", "CLAUDE_CODE_SETTINGS", "BASH_ENV", "API_KEYS", *CREDENTIALS,
    )
}  # fmt: skip
CREDENTIAL_VALUES = [SECRETS[name] for name in CREDENTIALS]


def everywhere() -> dict[str, Any]:
    """A request with the mark in every field that takes a client's text."""
    tool = {
        "name": f"{MARK}_tool",
        "description": f"{MARK} tool",
        "parameters": {"type": "object", "properties": {MARK: {"type": "string", "description": MARK}}},
    }
    function = {"name": tool["name"], "arguments": f'{{"{MARK}": 1}}'}
    call = {"id": f"{MARK}_call", "type": "function", "function": function}
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": f"{MARK} system"},
            {"role": "user", "name": f"{MARK}_name", "content": f"@/etc/{MARK} /{MARK} $({MARK}) --{MARK}"},
            {"role": "assistant", "content": f"{MARK} said", "tool_calls": [call], MARK: MARK},
            {"role": "tool", "tool_call_id": call["id"], "content": f"{MARK} result"},
            {"role": "user", "content": [{"type": "text", "text": f"{MARK} part"}]},
        ],
        "tools": [{"type": "function", "function": tool}],
        "stop": [f"{MARK}stop"],
        "user": f"--{MARK}",
        "metadata": {MARK: MARK},
        "prompt_cache_key": MARK,
        "session_id": f"../../{MARK}",
        "project_id": f"/tmp/{MARK}",
        "safety_identifier": MARK,
        f"{MARK}_unknown": MARK,
        "env": {MARK: MARK},
        "cwd": f"/tmp/{MARK}",
    }


HEADERS = {
    "user-agent": MARK, "x-request-id": MARK, "x-session-id": MARK, "x-claude-project": f"/tmp/{MARK}",
    "openai-organization": MARK, "anthropic-beta": MARK, "cookie": f"{MARK}={MARK}", "x-forwarded-for": MARK,
}  # fmt: skip


@pytest.mark.cli
async def test_nothing_of_a_request_becomes_an_argument_a_variable_a_path_or_a_file() -> None:
    release = trio.Event()
    async with running(lambda _: ScriptedReply((Wait(release), Text(("done",)))), env=SECRETS) as gateway:
        plain = [child.argv for child in children(gateway.daemon)]
        seen: list[Child] = []

        async def ask() -> None:
            answer = await gateway.post(everywhere(), f"/v1/chat/completions?{MARK}={MARK}", headers=HEADERS)
            assert answer.status_code == 200, answer.text

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await arrived(gateway.endpoint, 1)
            seen += children(gateway.daemon)
            release.set()
        await gateway.until_workers(busy=0)
        seen += children(gateway.daemon)
        assert MARK in str(gateway.upstream()[0].body)  # it did reach the model
        assert len(seen) >= 2
        for child in seen:
            assert MARK.encode() not in child.everything
            assert child.argv in plain
            isolated(gateway, child, SECRETS.values())


def isolated(gateway: Running, child: Child, secrets: Any) -> None:
    """A directory of its own, a listed environment, and nothing of the daemon open."""
    given = dict.fromkeys(os.environ, "")
    listed = environment(given, home=Path("/"), keys_configured=True, tool_seconds=1, client_log=True)
    extra = {name for name in child.environ if name not in listed and not name.startswith("FAKE_CLI_")}
    assert extra <= {*CREDENTIALS, "TMPDIR", "PWD", "OLDPWD", "_", "SHLVL", "CLAUDE_CONFIG_DIR"}, extra
    for secret in secrets:
        assert secret.encode() not in child.everything
    assert child.cwd.parent.parent == gateway.home / "tmp"
    for directory in (child.cwd, child.cwd.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert child.environ["HOME"] == str(child.cwd)
    of_daemon = set()
    for entry in Path(f"/proc/{gateway.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed just now
            of_daemon.add(str(entry.readlink()))
    pipes = {child.descriptors[number] for number in range(3)}
    assert all(link.startswith(("pipe:", "socket:")) for link in pipes)
    shared = set(child.descriptors.values()) & of_daemon - pipes
    known = {link for link in shared if link.startswith("pipe:")}  # the lifeline's, by which it ends with the daemon
    assert len(known) <= 1
    assert not {link for link in shared - known if not link.startswith(("anon_inode", "/dev/"))}


async def test_the_daemons_own_credentials_pass_only_where_no_keys_are_configured(tmp_path: Path) -> None:
    others = [value for value in SECRETS.values() if value not in CREDENTIAL_VALUES]
    for keys, hidden in ((("sk-false-configured-0001",), SECRETS.values()), ((), others)):
        async with running(lambda _: ScriptedReply(), keys=keys, env=SECRETS, cli=write_fake_cli(tmp_path)) as gateway:
            await gateway.until_workers(spare=1)
            (child,) = children(gateway.daemon)
            isolated(gateway, child, hidden)
            passed = {name: value for name, value in child.environ.items() if name in CREDENTIALS}
            assert passed == ({} if keys else {name: SECRETS[name] for name in CREDENTIALS})


async def test_two_workers_have_nothing_in_common(tmp_path: Path) -> None:
    config = "[workers]\nspares = 2\n"
    async with running(lambda _: ScriptedReply(), config=config, cli=write_fake_cli(tmp_path)) as gateway:
        await gateway.until_workers(spare=2)
        first, second = children(gateway.daemon)
        assert first.cwd != second.cwd
        assert not set(first.descriptors.values()) & set(second.descriptors.values()) - {"/dev/null"}
        assert not set(first.files) & set(second.files)
