"""Conversations in workspaces that outlive their process: `sessions = true`, with the real CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
import trio

from claudegwd.store.sealing import load_seal
from claudegwd.workspaces import kept_conversations
from tests.e2e.harness import Answered, Running, running, secret
from tests.e2e.workspace_scripts import bash, config, works

pytestmark = pytest.mark.cli

SYSTEM = {"PATH": "/usr/bin:/bin"}
# So short that each message finds the process of the one before gone.
SOON_IDLE = "[workers]\nidle_seconds = 1\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "a.py").write_text("answer = 41\n")
    return tmp_path / "repo"


class Conversation:
    """What a client sends: all that was said, each time."""

    def __init__(self, gateway: Running, client: openai.AsyncOpenAI | None = None) -> None:
        self.gateway = gateway
        self.messages: list[dict[str, Any]] = []
        self._client = client or gateway.client

    async def say(self, text: str, **more: Any) -> Answered:
        self.messages.append({"role": "user", "content": text})
        made = self._client.chat.completions.with_raw_response
        raw = await made.create(model="sonnet@repo", messages=self.messages, **more)  # type: ignore[call-overload]
        answer = Answered(raw.parse(), raw.headers)
        self.messages.append({"role": "assistant", "content": answer.text})
        return answer

    def known(self) -> str:
        """What the model was shown last."""
        return json.dumps(self.gateway.upstream()[-1].messages)


async def kept(gateway: Running, count: int) -> None:
    """Wait until so many conversations are kept, no process is left, and nothing of its directory, which goes file by
    file."""
    left = ("settings.json", ".claude/projects/*/*.jsonl")

    async def are() -> bool:
        [row] = (await gateway.control("GET", "/v1/workspaces")).json()["workspaces"]
        return bool(row["conversations"]["count"] == count) and not any(
            list(gateway.home.glob(f"tmp/*/worker-*/{name}")) for name in left
        )

    await gateway.until(are)


def kept_files(gateway: Running) -> list[Path]:
    return list((gateway.home / "state" / kept_conversations.DIRECTORY).iterdir())


READS = [("Read", {"file_path": "a.py"})]


async def test_a_conversation_goes_on_after_idle_and_after_a_restart(repo: Path) -> None:
    text = config(repo, "anonymous = true\nsessions = true") + SOON_IDLE
    async with running(works(READS), config=text) as gateway:
        talk = Conversation(gateway)
        assert (await talk.say(secret("Read it."))).how == "cold"
        await kept(gateway, 1)
        [file] = kept_files(gateway)
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        gateway.daemon.check_secrets()
        assert (await talk.say("And now?")).how == "resumed"
        # What Claude has read is no part of what the client sends.
        assert "answer = 41" in talk.known()
        await gateway.restart()  # while the process waits for the next message
        third = await talk.say("And then?")
        assert (third.how, third.text) == ("resumed", "All done.")
        said = talk.known()
        assert [said.count(text) for text in ("Read it.", "answer = 41", "And now?", "And then?")] == [1, 1, 1, 1]
        await kept(gateway, 1)
        # A history that was edited is another one, and is said anew.
        edited = Conversation(gateway)
        edited.messages = [*talk.messages[:3], {"role": "assistant", "content": "It was never said."}]
        assert (await edited.say("Go on.")).how == "cold"
        assert "answer = 41" not in edited.known().partition("Go on.")[0]
        # What has come behind it elsewhere is said to it.
        talk.messages += [{"role": "user", "content": "Hm."}, {"role": "assistant", "content": "From another model."}]
        assert (await talk.say("And at last?")).how == "resumed"
        assert talk.known().index("And then?") < talk.known().index("From another model.")
        await kept(gateway, 2)
        # What the CLI cannot read does no harm.
        gateway.daemon.end()
        seal, broken = load_seal(gateway.home / "state"), 0
        for file in kept_files(gateway):
            head = kept_conversations._read_all(file.parent, seal)
            for each in head:
                kept_conversations._write(file.parent / each.ident, seal, each, b"no transcript\n")
                broken += 1
        assert broken
        await trio.to_thread.run_sync(gateway.daemon.start)
        last = await talk.say("And after that?")
        assert (last.how, last.text) == ("cold", "Step 1.\n\nAll done.")
        # Without the workspace nothing of it stays.
        gateway.daemon.write_config("")
        await gateway.control("POST", "/v1/reload")

        async def gone() -> bool:
            return not kept_files(gateway)

        await gateway.until(gone)


LOOKS = """
import os, sys

for path in sys.argv[1:]:
    try:
        print(os.listdir(path))
    except OSError as error:
        print("refused:", error.strerror)
"""


async def test_it_is_the_clients_alone_and_goes_with_it(repo: Path) -> None:
    rules = 'clients = ["one", "two"]\nsessions = true\ntools = ["Read", "Bash"]\nallow = ["Bash(python3 look.py)"]'
    async with running(works(READS), config=config(repo, rules) + SOON_IDLE, env=SYSTEM) as gateway:
        keys = [(await gateway.control("POST", "/v1/clients", {"name": each})).json()["key"] for each in ("one", "two")]
        base = f"{gateway.base_url}/v1"
        async with (
            openai.AsyncOpenAI(base_url=base, api_key=keys[0], max_retries=0) as one,
            openai.AsyncOpenAI(base_url=base, api_key=keys[1], max_retries=0) as two,
        ):
            talk = Conversation(gateway, one)
            await talk.say("Read it.")
            await kept(gateway, 1)
            # The same words of somebody else; and what that one runs does not get there either.
            state = gateway.home / "state" / kept_conversations.DIRECTORY
            (repo / "look.py").write_text(LOOKS.replace("sys.argv[1:]", repr([str(state), str(state.parent)])))
            other = Conversation(gateway, two)
            other.messages = list(talk.messages)
            gateway.endpoint.script = works([bash("python3 look.py")])
            assert (await other.say("And now?")).how == "cold"
            assert "answer = 41" not in other.known()
            assert other.known().count("refused:") == 2
            await kept(gateway, 2)
            await gateway.control("DELETE", "/v1/clients/one")
            await kept(gateway, 1)
            assert (await other.say("And then?")).how == "resumed"


async def test_it_goes_on_behind_a_bound(repo: Path) -> None:
    text = config(repo, "anonymous = true\nsessions = true\nmax_turns = 1\nmax_usd = 5") + SOON_IDLE
    async with running(works(READS), config=text) as gateway:
        talk = Conversation(gateway)
        first = await talk.say("Read it.")
        assert (first.reason, first.headers["x-claudegw-stopped"]) == ("length", "max_turns")
        await kept(gateway, 1)
        second = await talk.say("Go on.")
        assert (second.how, second.reason, second.text) == ("resumed", "stop", "All done.")
        assert "answer = 41" in talk.known()
