"""A turn from its question to its end, with the CLI's lines given by the test. The process is never started."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.client_log import Rejection
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import NO_URL
from claudegwd.translate.answer.outputs import Failed, Finished, Output
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.worker.current_turn import CurrentTurn
from claudegwd.workers.worker.held_conversation import HeldConversation
from claudegwd.workers.worker.life import WorkerLife
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.states import WorkerEvent, WorkerState
from claudegwd.workers.worker.written_settings import WrittenSettings
from tests.claudegwd.translate.upstream import began, block, call, closed, ended, result, stopped, whole

ADDRESS = "ANTHROPIC_BASE_URL"


async def nothing(_: object) -> None:
    """For lines that never come."""


class Asked:
    """One question, under way."""

    def __init__(self, *, whole: bool = False, goes_back: bool = True, cut_back: bool = False) -> None:
        launch = Launch((), {}, Path("/"), whole=whole, goes_back=goes_back)
        self.written: list[dict[str, Any]] = []
        self.answered = 0
        self.process = CliProcess(launch, nothing)
        self.life = WorkerLife(self.process, lambda: None)
        pending = PendingCommands(self._take)
        self.conversation = HeldConversation(pending)
        self.settings = WrittenSettings(pending, ADDRESS)
        self.turn = CurrentTurn(self.life, launch, pending, self.settings, self.conversation, self._on_answered)
        self.life.change(WorkerEvent.TAKEN)
        self.receiver = self.turn.begin(Turn(ToolSet((), {"read": "read"})), kept=0, cut_back=cut_back)

    def says(self, *events: e.AnyEvent) -> list[Output]:
        outputs: list[Output] = []
        for event in events:
            if isinstance(event, e.Result):
                self.turn.feed_result(event, outputs)
            else:
                self.turn.feed(event, outputs)
        return outputs

    def commands(self) -> list[str]:
        return [line["request"]["subtype"] for line in self.written if "request" in line]

    def addresses(self) -> list[str]:
        """What the CLI was given as its upstream's address, in order."""
        settings = [line["request"].get("settings", {}) for line in self.written if "request" in line]
        return [each["env"][ADDRESS] for each in settings if ADDRESS in each.get("env", {})]

    def _take(self, data: bytes) -> None:
        self.written += [msgspec.json.decode(line) for line in data.splitlines()]

    def _on_answered(self) -> None:
        self.answered += 1


ANSWER = whole(block(0, "hello"))
CALLED = [began(), call(0, "c1", "read"), closed(0), stopped("tool_use"), ended()]


async def test_an_answer_settles_with_the_result() -> None:
    asked = Asked()
    assert asked.turn.is_answering
    assert isinstance(asked.says(*ANSWER[:-1])[-1], Finished)
    assert (asked.life.state, asked.answered) == (WorkerState.SETTLING, 1)
    assert asked.says(ANSWER[-1]) == []
    assert asked.life.state is WorkerState.IDLE
    assert asked.turn.answer.text == "hello"
    await asked.turn.until_settled()


@pytest.mark.parametrize(("whole", "state"), [(False, WorkerState.PARKED), (True, WorkerState.SETTLING)])
async def test_a_call_parks_what_holds_the_conversation(whole: bool, state: WorkerState) -> None:
    asked = Asked(whole=whole)
    asked.says(*CALLED)
    assert asked.life.state is state
    assert asked.turn.is_parked is not whole
    now = asked.turn.now
    asked.turn.forget()
    assert (asked.turn.now is now) is not whole


async def test_what_was_asked_whole_leaves_an_empty_conversation() -> None:
    asked = Asked(whole=True)
    asked.says(*ANSWER)
    assert asked.life.state is WorkerState.IDLE
    assert "clear" in str(asked.written[-1])


async def test_what_nobody_wants_is_interrupted_and_cut_back() -> None:
    asked = Asked()
    asked.conversation.transcript.add(b"question", "uuid")
    asked.says(*ANSWER[:2])
    asked.turn.abandon()
    assert not asked.turn.is_answering
    assert asked.commands() == ["interrupt"]
    asked.turn.began()
    assert asked.commands() == ["interrupt"] * 2
    asked.says(result(subtype="error_during_execution", is_error=True))
    assert (asked.life.state, asked.answered) == (WorkerState.SETTLING, 0)
    assert len(asked.commands()) == 3  # it goes back
    await asked.turn.until_settled()


async def test_a_parked_turn_that_is_given_up_is_over_for_the_next_borrower() -> None:
    asked = Asked()
    asked.conversation.transcript.add(b"question", "uuid")
    asked.says(*CALLED)
    asked.life.change(WorkerEvent.TAKEN)
    asked.turn.abandon()
    asked.says(result(subtype="error_during_execution", is_error=True))
    written = asked.commands()
    assert written[-2:] == ["interrupt", "rewind_conversation"]
    asked.conversation.is_cut(
        e.CliResponseBody(asked.written[-1]["request_id"], response=msgspec.Raw(b'{"rewound":true}'))
    )
    asked.life.change(WorkerEvent.SETTLED)
    asked.life.change(WorkerEvent.TAKEN)
    asked.turn.forget()
    asked.turn.abandon()  # again, before anything was asked
    assert (asked.life.state, asked.commands()) == (WorkerState.IDLE, written)


async def test_where_the_cli_cannot_go_back_it_ends() -> None:
    asked = Asked(goes_back=False)
    asked.turn.abandon()
    assert asked.life.state is WorkerState.CLOSING
    prefilled = Asked(goes_back=False, cut_back=True)
    prefilled.says(*ANSWER)
    assert prefilled.life.state is WorkerState.CLOSING


async def test_what_asks_upstream_again_is_ended_with_its_process() -> None:
    asked = Asked()
    asked.says(*ANSWER)
    assert asked.says(began()) == []
    assert asked.life.state is WorkerState.CLOSING
    assert asked.process.fault == "it sent another request upstream on its own"


async def test_the_cli_has_no_address_from_when_it_has_sent_the_question() -> None:
    asked = Asked()
    asked.settings.put({"env": {ADDRESS: "http://upstream.invalid"}}, "k")
    asked.turn.on_sent()
    asked.turn.on_sent()
    assert asked.addresses() == [NO_URL]
    asked.says(*ANSWER)
    assert asked.addresses() == [NO_URL, "http://upstream.invalid"]
    asked.turn.on_sent()  # read late: it was about the question that is over
    assert len(asked.addresses()) == 2


async def test_where_its_log_does_not_say_so_from_the_first_token() -> None:
    asked = Asked()
    asked.says(*ANSWER[:2])
    assert asked.addresses() == []
    asked.says(ANSWER[2])
    assert asked.addresses() == [NO_URL]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_cli_that_logs_in_anew_has_its_address_back(status: int) -> None:
    asked = Asked()
    asked.settings.put({"env": {}}, "k")
    asked.turn.on_sent()
    asked.turn.on_rejected(Rejection(status, is_json=True))
    asked.turn.on_sent()
    assert asked.addresses() == [NO_URL, "", NO_URL]
    asked.says(*ANSWER)
    asked.turn.on_rejected(Rejection(status, is_json=True))  # read late
    assert asked.addresses() == [NO_URL, "", NO_URL, ""]


async def test_a_request_that_fails_after_another_was_rejected_fails_for_a_reason_of_its_own() -> None:
    asked = Asked()
    asked.turn.on_sent()
    asked.turn.on_rejected(Rejection(401, is_json=True))
    asked.turn.on_sent()
    [failed] = asked.says(result(is_error=True, terminal_reason="api_error"))
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.status) == (FailureKind.CLI, None)


async def test_what_the_log_says_of_a_request_that_was_rejected() -> None:
    asked = Asked()
    asked.turn.on_sent()
    asked.turn.on_rejected(Rejection(404, is_json=True))
    assert asked.addresses() == [NO_URL]
    [failed] = asked.says(result(is_error=True, terminal_reason="api_error"))
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.status) == (FailureKind.MODEL_FORBIDDEN, 404)


async def test_a_turn_that_is_late_or_lost_ends_for_its_reader() -> None:
    late, lost = Asked(), Asked()
    late.turn.time_out(FailureKind.UNREAD)
    assert late.life.state is WorkerState.CLOSING
    lost.turn.lose()
    for asked, kind in ((late, FailureKind.UNREAD), (lost, FailureKind.CLI)):
        batch = await asked.receiver.receive()
        assert batch is not None
        assert isinstance(batch[-1], Failed)
        assert batch[-1].kind is kind
        assert await asked.receiver.receive() is None
    assert lost.turn.now is not None
    assert lost.turn.now.settled.is_set()
