"""Signed thinking finds its way back into a replay, and never to anybody else."""

from dataclasses import replace
from typing import Any

import pytest

from claudegwd.translate.answer.outputs import After, Finished, TokenCount
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.history import canonical_answer, chain
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.translate.signatures import Signatures
from tests.claudegwd.translate.requests import Body, assistant, call, chat, function, result, user

BUDGET = Model("m", "claude-m", "M", "", (), "budget", True, 0)
ADAPTIVE = Model("m", "claude-m", "M", "", ("high",), "adaptive", False, 0)
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SAID = (THINKING, {"type": "tool_use", "id": "1", "name": "read", "input": {}})
HISTORY = [user("a"), assistant(None, call("1")), result("1")]
SECOND = [*HISTORY, assistant("now", call("2")), result("2")]
OFF = {"type": "disabled"}


def plan(messages: list[Body], *, client: str = "c", model: Model = BUDGET, **fields: Any) -> Plan:
    fields = {"reasoning_effort": "high", "tools": [function("read")], **fields}
    return make_plan(chat(messages, **fields), model, client)


def finished(said: tuple[dict[str, Any], ...] = SAID) -> Finished:
    return Finished("tool_calls", TokenCount(), After.PARK, said)


def stored(**fields: Any) -> Signatures:
    """After the first answer of HISTORY."""
    signatures = Signatures()
    asked = plan(HISTORY[:1], **fields)
    digest = chain(asked.entries[-1].digest, canonical_answer("", [("1", "read", "{}")]))
    signatures.remember(digest, "claude-m-1", finished())
    return signatures


def test_a_replay_gets_the_answer_as_the_model_gave_it() -> None:
    before = plan(HISTORY)
    after = stored().restored(before, 0)
    assert after.entries[1].blocks == SAID
    assert after.entries[1].model == "claude-m-1"
    assert after.entries[1].digest == before.entries[1].digest
    assert after.entries[0] is before.entries[0]
    assert after.settings == before.settings


def test_a_text_to_go_on_from_is_the_clients() -> None:
    signatures = Signatures()
    before = plan([user("a"), assistant("Once \n")])
    signatures.remember(before.entries[1].digest, "m", finished((THINKING, {"type": "text", "text": "Once \n"})))
    assert signatures.restored(before, 0).entries == before.entries


def test_thinking_that_cannot_be_sent_back_is_not_kept() -> None:
    signatures = Signatures()
    signatures.remember(b"d", "m", finished(({**THINKING, "thinking": "hm \ud83d"}, SAID[1])))
    assert not signatures


def test_what_a_worker_holds_is_left_alone() -> None:
    before = plan(HISTORY)
    after = stored().restored(before, 2)
    assert after.entries == before.entries
    assert after.settings == before.settings


@pytest.mark.parametrize(
    "other",
    [
        plan(HISTORY, client="d"),
        plan([user("b"), *HISTORY[1:]]),
        plan([HISTORY[0], assistant("edited", call("1")), HISTORY[2]]),
        plan(HISTORY, model=Model("m", "claude-other", "M", "", (), "budget", True, 0)),
    ],
)
def test_nobody_elses_conversation_gets_it(other: Plan) -> None:
    assert stored().restored(other, 0).entries == other.entries


class TestWhereItIsMissing:
    def test_a_round_of_tools_that_began_without_thinking_goes_on_without(self) -> None:
        assert Signatures().restored(plan(HISTORY), 0).settings.body["thinking"] == OFF
        assert Signatures().restored(plan(SECOND), 0).settings.body["thinking"] == OFF

    def test_only_its_beginning_counts(self) -> None:
        # Between results the model mostly does not think again.
        assert stored().restored(plan(SECOND), 0).settings.body["thinking"]["type"] == "enabled"

    def test_the_worker_that_holds_the_beginning_has_its_thinking(self) -> None:
        assert Signatures().restored(plan(SECOND), 4).settings.body["thinking"]["type"] == "enabled"

    @pytest.mark.parametrize(
        "messages",
        [HISTORY[:1], [user("a"), assistant("b"), user("c")], [*HISTORY, assistant("b"), user("c")]],
    )
    def test_a_question_may_follow_anything(self, messages: list[Body]) -> None:
        assert Signatures().restored(plan(messages), 0).settings.body["thinking"]["type"] == "enabled"

    def test_adaptive_thinking_has_no_such_rule(self) -> None:
        before = plan(HISTORY, model=ADAPTIVE)
        assert Signatures().restored(before, 0) == before

    def test_thinking_that_is_off_stays_off(self) -> None:
        before = plan(HISTORY, reasoning_effort="none")
        assert Signatures().restored(before, 0) == before


class TestBounds:
    def test_answers_without_signed_thinking_are_not_kept(self) -> None:
        signatures = Signatures()
        signatures.remember(b"1", "m", finished(()))
        signatures.remember(b"2", "", finished())
        assert len(signatures) == 0

    def test_what_was_not_used_for_longest_goes_first(self) -> None:
        answers = [plan([user(str(number)), *HISTORY[1:]]) for number in range(3)]
        signatures = Signatures(max_bytes=250)  # room for two
        for one in answers[:2]:
            signatures.remember(one.entries[1].digest, "m", finished())
        signatures.restored(answers[0], 0)
        signatures.remember(answers[2].entries[1].digest, "m", finished())
        assert len(signatures) == 2
        assert [signatures.restored(one, 0).entries[1].model for one in answers] == ["m", "", "m"]

    def test_one_that_is_too_large_for_all_is_not_kept(self) -> None:
        signatures = Signatures(max_bytes=250)
        signatures.remember(b"1", "m", finished())
        signatures.remember(b"2", "m", finished(({**THINKING, "thinking": "h" * 250},)))
        assert len(signatures) == 1

    def test_the_same_answer_twice_is_kept_once(self) -> None:
        signatures = Signatures(max_bytes=250)
        for _ in range(5):
            signatures.remember(b"1", "m", finished())
        signatures.remember(b"2", "m", replace(finished(), said=SAID))
        assert len(signatures) == 2
