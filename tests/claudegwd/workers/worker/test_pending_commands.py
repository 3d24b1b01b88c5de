"""Commands and their answers."""

import trio
import trio.testing

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.workers.worker.pending_commands import PendingCommands


async def test_each_answer_finds_who_waits_for_it() -> None:
    written: list[bytes] = []
    pending = PendingCommands(written.append)
    first, second = (pending.command(commands.binary_version) for _ in range(2))
    assert len(written) == 2
    assert first.encode() in written[0]
    over: list[str] = []

    async def wait(ident: str) -> None:
        await pending.answer(ident)
        over.append(ident)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)
        await trio.testing.wait_all_tasks_blocked()
        pending.answered(e.CliResponseBody(second))
        pending.answered(e.CliResponseBody("nobody asked"))
        await trio.testing.wait_all_tasks_blocked()
        assert over == [second]
        pending.let_go()
    assert over == [second, first]
    await pending.answer("long since answered")
