"""Appending, cutting and clearing, with the CLI's answers given by the test."""

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from claudegwd.claude_cli import events as e
from claudegwd.workers.worker.held_conversation import HeldConversation
from claudegwd.workers.worker.pending_commands import PendingCommands


class Cli:
    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.pending = PendingCommands(self._take)
        self.conversation = HeldConversation(self.pending)

    def _take(self, data: bytes) -> None:
        self.written += [msgspec.json.decode(line) for line in data.splitlines()]

    def answer(self, response: object) -> e.CliResponseBody:
        ident = self.written[-1]["request_id"]
        return e.CliResponseBody(
            subtype="success", request_id=ident, response=msgspec.Raw(msgspec.json.encode(response))
        )


def result(turns: int = 0, *, is_error: bool = False, cost: float = 0.0) -> e.Result:
    return msgspec.convert(
        {"type": "result", "subtype": "success", "num_turns": turns, "is_error": is_error, "total_cost_usd": cost},
        e.Result,
    )


async def test_appending_waits_for_its_acknowledgement_and_not_for_the_end_of_a_turn() -> None:
    conversation = Cli().conversation
    async with trio.open_nursery() as nursery:
        nursery.start_soon(conversation.append, b"{}\n")
        await trio.testing.wait_all_tasks_blocked()
        assert not conversation.acknowledges(result(turns=1))
        assert not conversation.acknowledges(result(is_error=True))
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        assert conversation.acknowledges(result())


async def test_a_process_that_is_gone_lets_go_of_who_appends() -> None:
    conversation = Cli().conversation
    async with trio.open_nursery() as nursery:
        nursery.start_soon(conversation.append, b"{}\n")
        await trio.testing.wait_all_tasks_blocked()
        conversation.let_go()


def test_each_clear_is_acknowledged_once() -> None:
    conversation = Cli().conversation
    conversation.clear()
    conversation.clear()
    assert [conversation.acknowledges(result()) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("response", "done", "left"), [({"rewound": True}, True, 1), ({"rewound": False}, False, 3),
                                                         ({}, False, 3), ([], False, 3)])  # fmt: skip
def test_what_was_cut_is_known_by_the_answer(response: object, done: bool, left: int) -> None:
    cli = Cli()
    transcript = cli.conversation.transcript
    for number, uuid in enumerate(("a", None, "b")):
        transcript.add(bytes([number]), uuid)
    transcript.uuids[1] = "c"
    cli.conversation.cut(1)
    other = e.CliResponseBody(subtype="success", request_id="other", response=msgspec.Raw(b"{}"))
    assert cli.conversation.is_cut(other) is None
    assert cli.conversation.is_cut(cli.answer(response)) is done
    assert len(transcript) == left


def test_costs_are_those_since_the_last_result() -> None:
    conversation = Cli().conversation
    assert [round(conversation.new_cost(total), 6) for total in (0.5, 0.75, 0.75, 0.1)] == [0.5, 0.25, 0.0, 0.1]
