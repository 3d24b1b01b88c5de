"""Several answers to one request whose reader leaves. What they say: tests/e2e/test_streaming.py."""

import gc
import weakref
from functools import partial
from pathlib import Path

import trio

from claudegwd.public.choice import Choice
from claudegwd.public.mixing import mixed_outputs
from tests.pool_shop import Shop, plan, shop

# More than the channels and pipes between a CLI and its reader hold.
UNENDING = 500_000


async def until_unread(at: Shop, count: int) -> None:
    """Wait until so many workers are ahead of their readers."""
    with trio.fail_after(20):
        while sum(worker.hearing.unread_for() > 0 for worker in at.pool.roster) < count:
            await trio.sleep(0.005)


async def test_nothing_is_left_of_answers_whose_reader_stalls_and_leaves(tmp_path: Path) -> None:
    async with shop(tmp_path, deltas=UNENDING) as at:
        choices = [Choice(partial(at.questions.ask, request_id="req"), plan("hello")) for _ in range(2)]
        left = [weakref.ref(choice) for choice in choices]
        mixed = mixed_outputs(choices, 15.0)
        await anext(mixed)
        await until_unread(at, 2)
        await mixed.aclose()
        while choices:
            choices.pop().close()
        del mixed
        with trio.fail_after(10):
            while any(choice() is not None for choice in left):  # those that feed the channel hold them
                gc.collect()
                await trio.sleep(0.005)
        await at.until("busy", 0)
