"""Commands and their answers."""

import trio
import trio.testing

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.workers.dialogue import Dialogue


async def test_each_answer_finds_who_waits_for_it() -> None:
    written: list[bytes] = []
    dialogue = Dialogue(written.append)
    first, second = (dialogue.command(commands.binary_version) for _ in range(2))
    assert len(written) == 2
    assert first.encode() in written[0]
    over: list[str] = []

    async def wait(ident: str) -> None:
        await dialogue.answer(ident)
        over.append(ident)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)
        await trio.testing.wait_all_tasks_blocked()
        dialogue.answered(e.ResponseBody(second))
        dialogue.answered(e.ResponseBody("nobody asked"))
        await trio.testing.wait_all_tasks_blocked()
        assert over == [second]
        dialogue.let_go()
    assert over == [second, first]
    await dialogue.answer("long since answered")
