"""Tests whether an upstream key works: one cheap question with only this key."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claudegwd.gateway.booking import Booking
from claudegwd.gateway.gateway import Gateway
from claudegwd.gateway.planning import plan_chat
from claudegwd.keys.answers import UnknownKey
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import KeyStatus, UpstreamKey, with_status
from claudegwd.keys.ring import KeyRing
from claudegwd.ledger.entry import CLIENT_GONE, MODEL_CHARACTERS, TESTS, Line, Sums, minute_of
from claudegwd.limits.clients import ANONYMOUS
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.openai_api.errors import GatewayError
from claudegwd.workers.question.question import Question

# The cheapest question that shows whether a key works.
_TEST_BODY = b'{"model":"%s","max_tokens":16,"messages":[{"role":"user","content":"Say OK."}]}'

_REPLACED = "its token was replaced during the test: test it again"


async def try_key(gateway: Gateway, name: str) -> Mapping[str, Any]:
    """Ask one cheap question with this key; an answer clears its failures. Raises UnknownKey."""
    key = next((key for key in gateway.keys_source.keys if key.name == name), None)
    if key is None:
        raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")
    started = time.monotonic()
    error = await _ask_under(gateway, key, started)
    if error is None and not gateway.ring.clear(name, key.digest):
        error = _REPLACED
    log_event(
        log, logging.INFO if error is None else logging.WARNING, "upstream key tested", key=name,
        reason=error or "it answered",
    )  # fmt: skip
    row = next((row for row in gateway.ring.snapshot(time.time()) if row["name"] == name), {})
    return {
        "name": name,
        "ok": error is None,
        "state": row.get("state"),
        "until": row.get("cooling_until"),
        "error": error,
        "seconds": round(time.monotonic() - started, 3),
    }


async def _ask_under(gateway: Gateway, key: UpstreamKey, started: float) -> str | None:
    ring = _Trial(key, gateway.ring)
    # A limited key or an unreachable upstream is a result, not a reason to wait.
    timing = replace(gateway.questions.timing, hold=0.0, backs_off=False)
    questions = gateway.questions.within(ring, timing)
    wanted = parse_chat_request(_TEST_BODY % gateway.config.claude.default_model.encode(), BOUNDS)
    question = questions.ask(plan_chat(gateway, wanted, ANONYMOUS), f"test-{key.name}", whole=True)
    status = CLIENT_GONE
    try:
        await question.first()
        status = 200
        questions.answered(question)
    except GatewayError as error:
        status = error.status
        return ring.cause or error.code or FailureKind.CLI.value
    finally:
        _book(gateway, question, status, milliseconds=round((time.monotonic() - started) * 1000))
        question.close()
    return None


def _book(gateway: Gateway, question: Question, status: int, *, milliseconds: int) -> None:
    """A test costs money like any other answer."""
    ledger, spending = gateway.ledger, gateway.clients.book.spending
    for use in question.uses:
        line = Line(
            minute_of(ledger.clock()), TESTS, use.key, question.plan.model.id, use.answer.model[:MODEL_CHARACTERS], "",
            question.how, status,
        )  # fmt: skip
        sums = Sums(requests=1, all_ms=milliseconds) if use is question.uses[-1] else Sums()
        Booking(ledger.note, spending, line, use.answer, lambda _: None).begin(sums)


class _Trial(KeyRing):
    """Only the key being tested, whatever its state. Results are passed on to the ring of all keys."""

    def __init__(self, key: UpstreamKey, ring: KeyRing) -> None:
        super().__init__([with_status(key, KeyStatus.ACTIVE)], cooldown_seconds=ring.cooldown_seconds)
        self.cause = ""
        self._ring = ring

    def succeeded(self, name: str, now: float, tokens: int, *, digest: str | None = None) -> None:
        super().succeeded(name, now, tokens)
        self._ring.succeeded(name, now, tokens, digest=digest)

    def failed(
        self,
        name: str,
        kind: FailureKind,
        now: float,
        *,
        model: str | None = None,
        reset_at: float | None = None,
        error: str = "",
        digest: str | None = None,
        request: str = "",
    ) -> None:
        self.cause = error or kind.value
        super().failed(name, kind, now, model=model, reset_at=reset_at, error=error)
        self._ring.failed(name, kind, now, model=model, reset_at=reset_at, error=error, digest=digest, request=request)
