"""A choice that is closed while its reader is still on its way. What it reads: tests/e2e/test_structured.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from claudegwd.keys.key import UpstreamKey
from claudegwd.openai_api.errors import GatewayError, InternalError
from claudegwd.public.choice import Choice
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.question.question import Question
from tests.pool_shop import Shop, plan, shop

ANY_OBJECT = {"type": "json_object"}


def asking(at: Shop) -> tuple[list[Question], Callable[[Plan], Question]]:
    """All that is asked, and what asks it."""
    asked: list[Question] = []

    def ask(wanted: Plan) -> Question:
        asked.append(at.questions.ask(wanted, "req"))
        return asked[-1]

    return asked, ask


async def is_over(choice: Choice) -> None:
    """Its reader gets an error, and nothing is left."""
    with trio.fail_after(5), pytest.raises(InternalError, match="was closed"):
        await choice.first()
    assert choice.earlier == []


async def test_an_answer_that_does_not_fit_is_not_repeated_once_it_is_closed(tmp_path: Path) -> None:
    async with shop(tmp_path, whole=True) as at:
        asked, ask = asking(at)
        choice = Choice(ask, plan("hello", response_format=ANY_OBJECT))
        await choice.question.first()  # it is complete, and no object
        choice.close()
        await is_over(choice)
        assert len(asked) == 1
        await at.until("busy", 0)


async def test_no_fallback_is_asked_once_it_is_closed(tmp_path: Path) -> None:
    async with shop(tmp_path, keys=[UpstreamKey("one", "sk-false-fail-403")]) as at:
        asked, ask = asking(at)
        choice = Choice(ask, replace(plan("hello"), fallback=lambda: plan("hello")))
        with pytest.raises(GatewayError):
            await choice.question.first()
        assert choice.question.lacks_model
        choice.close()
        await is_over(choice)
        assert len(asked) == 1


async def test_what_was_prepared_is_not_asked_once_it_is_closed(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        asked, ask = asking(at)

        def prepares(_: object) -> Plan:
            choice.close()
            return plan("hello", "said", "and?")

        choice = Choice(ask, plan("hello"), prepares)
        await is_over(choice)
        assert len(asked) == 1
        await at.until("busy", 0)
