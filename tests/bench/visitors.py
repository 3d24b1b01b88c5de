"""Clients of a soak: what they ask, how they leave, and whether what they got was proper."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from tests.bench.client import Answer, Client, Cut

# Models of the fake CLI: it says the question back, at once or at a pace, or fails on the way.
PLAIN = "fake-echo-1-size-5"
SLOW = "fake-echo-1-size-2-gap-5"
CALLING = "fake-echo-1-calls-1"
CRASHING = tuple(f"fake-echo-1-crash-{state}" for state in ("ask", "message", "streaming", "ended"))
SPEAKING_NONSENSE = "fake-echo-1-nonsense-streaming"
FAULTY = (*CRASHING, SPEAKING_NONSENSE)
MODELS = (PLAIN, SLOW, CALLING, *FAULTY)

# Longer than any answer or orderly refusal of a soak takes; later than this a request counts as forgotten.
ANSWER_SECONDS = 60.0
REFUSALS = frozenset({429, 500, 502, 503, 504})
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
ERROR_KEYS = {"message", "type", "param", "code"}
# The first of these wrong answers are kept for the report.
PROBLEMS_KEPT = 20


class Wrong(Exception):  # noqa: N818 - a verdict
    """An answer that no client should get."""


@dataclass(slots=True)
class Tally:
    """What happened, counted."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        self.outcomes["WRONG"] += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(text)


@dataclass(slots=True)
class Visitor:
    """One client after another on connections of its own, until cancelled."""

    port: int
    rng: random.Random
    tally: Tally

    async def run(self, until: float) -> None:
        """Visit until that moment of trio's clock."""
        visits: list[tuple[Callable[[Client], Awaitable[str]], int]] = [
            (self.converse, 8), (self.leave_while_streaming, 3), (self.leave_at_once, 2), (self.be_cut_short, 2),
            (self.use_a_tool, 2), (self.abandon_a_tool, 1), (self.meet_a_fault, 2), (self.send_nonsense, 1),
        ]  # fmt: skip
        while trio.current_time() < until:
            (visit,) = self.rng.choices([v for v, _ in visits], [w for _, w in visits])
            try:
                client = await Client.tcp(self.port)
                try:
                    with trio.fail_after(ANSWER_SECONDS):
                        outcome = await visit(client)
                finally:
                    await client.aclose()
                self.tally.outcomes[outcome] += 1
            except trio.TooSlowError:
                self.tally.problem(f"{visit.__name__}: no answer in {ANSWER_SECONDS:.0f} s")
            except (Cut, OSError) as error:
                self.tally.problem(f"{visit.__name__}: the connection was cut ({type(error).__name__})")
            except Wrong as error:
                self.tally.problem(f"{visit.__name__}: {error}")

    async def converse(self, client: Client) -> str:
        messages: list[dict[str, Any]] = []
        for _ in range(self.rng.randint(1, 6)):
            said = self._words()
            messages.append({"role": "user", "content": said})
            model = self.rng.choice((PLAIN, PLAIN, SLOW))
            answer = await client.chat(messages, model=model, stream=self.rng.random() < 0.6)
            if refused(answer):
                return f"refused {answer.status}"
            _same(answer, said)
            messages.append({"role": "assistant", "content": answer.text})
        return "conversed"

    async def leave_while_streaming(self, client: Client) -> str:
        said = self._words() * 5
        answer = await client.begin("POST", "/v1/chat/completions", _body(said, SLOW, stream=True))
        pieces = self.rng.randint(0, 10)
        async for _ in client.read(answer):
            pieces -= 1
            if pieces < 0:
                break
        return "left while streaming"

    async def leave_at_once(self, client: Client) -> str:
        body = _body(self._words() * 5, SLOW, stream=self.rng.random() < 0.5)
        with trio.move_on_after(self.rng.uniform(0, 0.05)):
            await client.request("POST", "/v1/chat/completions", body)
        return "left before the answer"

    async def be_cut_short(self, client: Client) -> str:
        said = self._words() * 3
        stream = self.rng.random() < 0.5
        answer = await client.chat([_user(said)], model=PLAIN, stream=stream, max_tokens=2)
        if refused(answer):
            return f"refused {answer.status}"
        _same(answer, said[:8])
        return "cut short by max_tokens"

    async def use_a_tool(self, client: Client) -> str:
        said = self._words()
        messages = [_user(said)]
        answer = await client.chat(messages, model=CALLING, stream=False, tools=[TOOL])
        if refused(answer):
            return f"refused {answer.status}"
        message = answer.json()["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        if [call["function"]["name"] for call in calls] != ["look"]:
            raise Wrong("the tool call was lost")
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in calls]
        again = await client.chat([*messages, message, *results], model=CALLING, stream=True, tools=[TOOL])
        if refused(again):
            return f"refused {again.status}"
        # On another process (the first was killed meanwhile) the fake begins anew, with a call.
        if again.how == "parked":
            _same(again, said)
        return "used a tool"

    async def abandon_a_tool(self, client: Client) -> str:
        answer = await client.chat([_user(self._words())], model=CALLING, stream=False, tools=[TOOL])
        return f"refused {answer.status}" if refused(answer) else "abandoned a tool"

    async def meet_a_fault(self, client: Client) -> str:
        said, model = self._words(), self.rng.choice(FAULTY)
        answer = await client.chat([_user(said)], model=model, stream=self.rng.random() < 0.5)
        if refused(answer):
            return f"fault refused {answer.status}"
        _same(answer, said)  # the fault came after the answer
        return "answered in spite of a fault"

    async def send_nonsense(self, client: Client) -> str:
        body: Any = self.rng.choice([[], {}, {"model": PLAIN}, {"model": PLAIN, "messages": "hi"}, {"model": 1}])
        answer = await client.request("POST", "/v1/chat/completions", body)
        if answer.status not in (400, 404) or not _enveloped(answer):
            raise Wrong(f"nonsense was answered with {answer.status}")
        return "nonsense refused"

    def _words(self) -> str:
        return f"{self.rng.getrandbits(64):016x} said with some words "


def refused(answer: Answer) -> bool:
    """Whether this is an orderly refusal; raises Wrong when it is neither that nor a whole answer."""
    if answer.complete:
        return False
    if answer.status == 200:
        last = [data for _, data in answer.events[-2:]]
        if len(last) == 2 and last[0].startswith(b'{"error"') and last[1] == b"[DONE]":
            return True
        raise Wrong("a stream broke off without an error")
    if answer.status not in REFUSALS or not _enveloped(answer):
        raise Wrong(f"status {answer.status}: {answer.body[:200]!r}")
    return True


def _enveloped(answer: Answer) -> bool:
    try:
        return set(answer.json()["error"]) >= ERROR_KEYS
    except (ValueError, KeyError, TypeError):
        return False


def _same(answer: Answer, said: str) -> None:
    if answer.text != said:
        kind = "not the whole answer" if said.startswith(answer.text) else "another's answer"
        mode = "stream" if answer.events else "whole"
        sizes = f"{len(answer.text)} characters for {len(said)}"
        raise Wrong(f"{kind}: {sizes} ({mode}, worker {answer.how}, model {answer.model})")


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _body(said: str, model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "messages": [_user(said)], "stream": stream}
