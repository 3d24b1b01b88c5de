"""Many conversations from several clients on a few processes: each request is its own client's, and there is no other.

The size in CI is small; two hundred conversations of ten turns:
`CROWD=200x10 TEST_SECONDS=1200 tests/run -s tests/e2e/test_crowd.py`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, ToolUse
from tests.e2e.daemon_process import CARRIERS, Daemon, carrying
from tests.e2e.harness import Messages, Running
from tests.e2e.test_conversation_machine import KEPT, TOOLS, meant, shape

CONVERSATIONS, TURNS = (int(part) for part in os.environ.get("CROWD", "16x3").split("x"))
CLIENTS = 8
WORKERS = 4
# Every third turn calls a tool, which is a second request.
CALLS_EVERY = 3

pytestmark = pytest.mark.cli


@pytest.fixture(scope="module", params=CARRIERS)
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    config = f"[workers]\nmax = {WORKERS}\n[limits]\nrequests_per_minute = 0"
    with carrying(request.param, config) as started:
        yield started


class Crowd:
    """What every client means, to compare with what the upstream gets."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.meant: dict[str, Messages] = {}
        self.asked: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.how: Counter[str | None] = Counter()

    def script(self, request: RecordedRequest) -> Answer:
        name = str(shape(request)[0][1][0][1]).partition(":")[0]
        self.asked[name] += 1
        if name not in self.meant or shape(request) != meant(self.meant[name]):
            self.wrong.append(f"{name}: {len(request.messages)} messages")
        turn = sum(message["role"] == "user" for message in self.meant.get(name, []))
        if turn % CALLS_EVERY == 0 and self.meant[name][-1]["role"] == "user":
            return ScriptedReply((ToolUse(f"toolu_{name}_{turn}", "look", {}),), stop_reason="tool_use")
        return say(f"{name}: answer {turn}")

    async def talk(self, name: str) -> None:
        """One turn of the conversation, with its tool call if there is one."""
        messages = [*self.meant.get(name, []), {"role": "user", "content": f"{name}: {self.asked[name]}"}]
        while True:
            self.meant[name] = messages
            before = self.asked[name]
            answer = await self.gateway.ask(messages, tools=TOOLS)
            self.how[answer.how] += 1
            if self.asked[name] != before + 1:
                self.wrong.append(f"{name}: {self.asked[name] - before} requests for one question")
            message = answer.message.model_dump(exclude_none=True)
            messages = [*messages, {key: message[key] for key in KEPT if key in message}]
            if not answer.message.tool_calls:
                self.meant[name] = messages
                return
            [call] = answer.message.tool_calls
            messages = [*messages, {"role": "tool", "tool_call_id": call.id, "content": "it is 42"}]

    async def client(self, names: list[str]) -> None:
        """A client's conversations, a turn of each in turn but in no order that repeats."""
        turns = names * TURNS
        random.Random(names[0]).shuffle(turns)
        for name in turns:
            await self.talk(name)


async def test_each_has_its_own_conversation_and_pays_for_no_other(gateway: Running) -> None:
    crowd = Crowd(gateway)
    gateway.endpoint.script = crowd.script
    names = [f"c{number}" for number in range(CONVERSATIONS)]
    async with trio.open_nursery() as nursery:
        for client in range(CLIENTS):
            nursery.start_soon(crowd.client, names[client::CLIENTS])
    assert crowd.wrong == []
    assert sum(crowd.asked.values()) == sum(crowd.how.values()) == gateway.endpoint.count
    await gateway.until_workers(busy=0, settling=0)
    assert sum(row["state"] != "closing" for row in await gateway.workers()) <= WORKERS
    print("how the workers were had:", dict(crowd.how))
