"""A pool over the fake CLI, and questions to it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import trio

from claudegwd.claude_cli import launch as cli_launch
from claudegwd.config.schema import LimitsConfig, WorkersConfig
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.translate.request.catalogue import offered
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.workers.pool.pool import Pool
from claudegwd.workers.process.process import Launch
from claudegwd.workers.process.scratch import Scratch
from claudegwd.workers.question.question import Question
from claudegwd.workers.question.questions import Questions, Timing
from tests.fake_binary import write_fake_cli

MODEL = "claude-sonnet-4-20250514"
MODELS = offered((), (), {})


def plan(*texts: str, client: str = "a", **more: object) -> Plan:
    """A conversation: user and assistant take turns, the user first."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    body = msgspec.json.encode({"model": MODEL, "messages": messages, **more})
    return make_plan(parse_chat_request(body, Bounds()), MODELS[MODEL], client)


class Shop:
    """A pool, and questions to it, on the fake CLI."""

    def __init__(self, pool: Pool, questions: Questions) -> None:
        self.pool = pool
        self.questions = questions

    async def ask(self, wanted: Plan) -> Question:
        """Ask and read to the end; the answer's worker is given back."""
        question = self.questions.ask(wanted, "req")
        try:
            with trio.fail_after(20):
                await question.first()
                await read_to_the_end(question)
        finally:
            question.close()
        return question

    async def until(self, state: str, count: int) -> None:
        with trio.fail_after(20):
            while self.pool.roster.counts()[state] != count:
                await trio.sleep(0.005)


async def read_to_the_end(question: Question) -> None:
    while await question.next() is not None:
        pass


@asynccontextmanager
async def shop(
    tmp_path: Path,
    *,
    limits: LimitsConfig | None = None,
    timing: Timing | None = None,
    keys: Sequence[UpstreamKey] = (),
    clock: Callable[[], float] = time.time,
    workers: dict[str, object] | None = None,
    whole: bool = False,
    **fake: str | float,
) -> AsyncIterator[Shop]:
    binary = write_fake_cli(tmp_path, **{"deltas": 3, **fake})
    scratch = Scratch.make(tmp_path)

    def launch() -> Launch:
        home = scratch.next()
        env = cli_launch.environment({"PATH": "/usr/bin:/bin"}, home=home, keys_configured=bool(keys), tool_seconds=60)
        return Launch(cli_launch.argv(binary, bare=True, whole=whole), env, home, warms_up=True, whole=whole)

    config = msgspec.structs.replace(WorkersConfig(), **{"spares": 0, **(workers or {})})
    limits = limits or LimitsConfig()
    pool = Pool(launch, config, limits, trio.current_time)
    pool.whole = whole
    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)
        ring = KeyRing(keys, cooldown_seconds=1)
        questions = Questions(pool, ring, timing or Timing(hold=1, request=30), clock)
        await nursery.start(questions.run)
        yield Shop(pool, questions)
        nursery.cancel_scope.cancel()
    assert pool.roster.counts() == dict.fromkeys(pool.roster.counts(), 0)
    assert list(scratch.root.glob("worker-*")) == []
