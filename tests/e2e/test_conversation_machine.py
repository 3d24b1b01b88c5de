"""Whatever a client did before: what reaches the upstream is the conversation that it means, whole, once, and alone.

Random lives of three conversations of two system prompts, on few processes, through both carriers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from claudegwd.demo.replies import say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, Text, ToolUse, Wait, overloaded
from tests.e2e.daemon_process import CARRIERS, Daemon, carrying
from tests.e2e.ends import BRIEF, LAST_EVENTS, unfinished
from tests.e2e.harness import MODEL, Messages, Running, with_upstream

pytestmark = pytest.mark.cli

LIVES = settings(max_examples=8, phases=(Phase.explicit, Phase.reuse, Phase.generate),
                 suppress_health_check=list(HealthCheck), deadline=None)  # fmt: skip
TOOLS = [
    {"type": "function", "function": {"name": "look", "description": "One.\n\nTwo.", "parameters": {"type": "object"}}}
]
PROMPTS = ("Be brief.", "Be brief.", "Be long.")
DOINGS = (
    "ask", "again", "edit", "stop", "cut", "fill", "call", "leave the call", "fail", "break off", "break later",
    "prefill", "leave early", "stop the results", "bring a history",
)  # fmt: skip
# What a client keeps of an answer.
KEPT = ("role", "content", "tool_calls")
STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(DOINGS), st.integers(0, 9)), min_size=6, max_size=14)


@pytest.fixture(scope="module", params=CARRIERS)
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with carrying(request.param, "[workers]\nmax = 3\n[limits]\nrequests_per_minute = 0") as started:
        yield started


def shape(request: RecordedRequest) -> list[tuple[str, list[tuple[str, str]]]]:
    """Roles, and of each block its kind and what tells it apart."""
    found = []
    for message in request.messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found.append((message["role"], [(block["type"], block.get("text") or ident(block)) for block in blocks]))
    return found


def ident(block: dict[str, Any]) -> str:
    return str(block.get("id") or block.get("tool_use_id"))


def meant(messages: Messages) -> list[tuple[str, list[tuple[str, str]]]]:
    """The same of what the client sends."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for message in messages:
        if message["role"] == "tool":
            found.append(("user", [("tool_result", message["tool_call_id"])]))
        elif message.get("tool_calls"):
            found.append(("assistant", [("tool_use", call["id"]) for call in message["tool_calls"]]))
        else:
            found.append((message["role"], [("text", message["content"])]))
    return found


class Client:
    """One conversation as its client keeps it."""

    def __init__(self, gateway: Running, prompt: str, name: str) -> None:
        self.gateway = gateway
        self.prompt = prompt
        self.name = name
        self.messages: Messages = []
        self.said = 0

    def words(self) -> str:
        self.said += 1
        return f"{self.name} says {self.said}"

    async def do(self, doing: str, number: int) -> None:
        questions = [index for index, message in enumerate(self.messages) if message["role"] == "user"]
        if doing in ("again", "edit") and questions:
            at = questions[number % len(questions)]
            kept, question = self.messages[:at], self.messages[at]
            self.messages = [*kept, question if doing == "again" else {"role": "user", "content": self.words()}]
            await self.ask(say(f"answer {self.words()}"))
            return
        self.messages = [*self.messages, {"role": "user", "content": self.words()}]
        match doing:
            case "stop":
                await self.stop()
            case "leave early":
                await self.leave(0.005 * number)
            case "cut":
                cut = ScriptedReply((Text((f"cut {self.said}",)), BRIEF), stop_reason="max_tokens")
                await self.ask(cut, max_tokens=2)
            case "call" | "leave the call" | "stop the results":
                await self.call(doing)
            case "bring a history":
                await self.bring(number)
            case "fill":
                full = ScriptedReply((Text((f"full {self.said}",)), BRIEF), stop_reason="model_context_window_exceeded")
                await self.ask(full)
            case "break off":  # all of it is to come in one piece: it is asked for once more
                await self.ask(unfinished("half"), say(f"answer {self.said}"))
            case "break later":
                await self.ask(LAST_EVENTS["cut after the first block"], say(f"answer {self.said}"))
            case "prefill":  # every other time it fails first
                self.messages.append({"role": "assistant", "content": f"begun {self.said}"})
                await self.ask(*[overloaded()] * (number % 2), say(f" and ended {self.said}"))
                *before, begun, ended = self.messages
                self.messages = [*before, {"role": "assistant", "content": begun["content"] + ended["content"]}]
            case "fail":
                await self.ask(overloaded(), say(f"answer {self.said}"))
            case _:
                await self.ask(say(f"answer {self.said}"))

    def round(self) -> Messages:
        """A call and its result."""
        ident = f"toolu_{self.name}_{self.said}"
        call = {"id": ident, "type": "function", "function": {"name": "look", "arguments": "{}"}}
        return [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": ident, "content": "it is 42"},
        ]

    async def call(self, doing: str) -> None:
        """It asks, is answered with a call, and brings its result: to the end, for a first word, or not at all."""
        before = self.messages[:-1]
        _, result = self.round()
        await self.ask(ScriptedReply((ToolUse(result["tool_call_id"], "look", {}),), stop_reason="tool_use"))
        self.messages.append(result)
        if doing == "call":
            await self.ask(say(f"answer {self.said}"))
            return
        if doing == "stop the results":
            await self.stop()
        self.messages = before

    async def bring(self, number: int) -> None:
        """It brings a round of a tool from elsewhere, and takes it back, has it answered, or has it long behind it."""
        before = self.messages[:-1]
        self.messages = [*self.messages, *self.round()]
        if number % 3 == 0:
            await self.stop()
            self.messages = before
            return
        if number % 3 == 1:
            told = {"role": "assistant", "content": f"answer {self.said}"}
            self.messages += [told, {"role": "user", "content": self.words()}]
        await self.ask(say(f"answer {self.said}"))

    async def ask(self, *answers: Answer, **more: Any) -> None:
        coming = list(answers)
        self.gateway.endpoint.script = lambda _: coming.pop(0)
        before = self.gateway.endpoint.count
        system = {"role": "system", "content": self.prompt}
        answer = await self.gateway.ask([system, *self.messages], tools=TOOLS, **more)
        self.check(before, len(answers))
        message = answer.message.model_dump(exclude_none=True)
        self.messages = [*self.messages, {key: message[key] for key in KEPT if key in message}]

    async def stop(self) -> None:
        """It asks, reads a first word, and takes all of it back."""
        self.gateway.endpoint.script = lambda _: ScriptedReply((Text(("some",)), Wait(trio.Event())))
        before = self.gateway.endpoint.count
        system = {"role": "system", "content": self.prompt}
        wanted = {"model": MODEL, "messages": [system, *self.messages], "stream": True, "tools": TOOLS}
        async with self.gateway.http.stream("POST", "/v1/chat/completions", json=wanted) as response:
            async for line in response.aiter_lines():
                if "some" in line:
                    break
        self.check(before, 1)
        self.messages = self.messages[:-1]

    async def leave(self, seconds: float) -> None:
        """It asks, and leaves before there is an answer: perhaps before the question was sent, or while it is."""
        self.gateway.endpoint.script = lambda _: ScriptedReply((Wait(trio.Event()),))
        before = self.gateway.endpoint.count
        wanted = {"model": MODEL, "messages": [{"role": "system", "content": self.prompt}, *self.messages]}
        with trio.move_on_after(seconds):
            await self.gateway.http.post("/v1/chat/completions", json={**wanted, "tools": TOOLS})
        await self.gateway.until_workers(busy=0, settling=0)
        self.check(before, min(1, self.gateway.endpoint.count - before))
        self.messages = self.messages[:-1]

    def check(self, before: int, requests: int) -> None:
        """Every request that was made for this question is this conversation, and there was none beside."""
        asked = self.gateway.upstream(before)
        assert len(asked) == requests
        for request in asked:
            assert shape(request) == meant(self.messages)
            assert request.body["system"][-1]["text"] == self.prompt


@LIVES
@given(STEPS)
async def test_the_conversation_reaches_the_upstream_as_it_is_meant(
    daemon: Daemon, steps: list[tuple[int, str, int]]
) -> None:
    async with with_upstream(daemon) as gateway:
        clients = [Client(gateway, prompt, name) for prompt, name in zip(PROMPTS, "abc", strict=True)]
        for which, doing, number in steps:
            await clients[which].do(doing, number)
        await gateway.until_workers(busy=0, settling=0)
        assert sum(row["state"] != "closing" for row in await gateway.workers()) <= 3
        assert "the CLI refused a command" not in gateway.log
