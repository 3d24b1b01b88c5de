"""A view of a running request, computed from what its questions know anyway, at no cost to the request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.request.estimate import said_tokens
from claudegwd.workers.question.question import Question


class RequestState(StrEnum):
    """How far a request has come, in this order."""

    QUEUED = "queued"  # no worker yet
    WAITING_FOR_KEY = "waiting_for_key"  # for the end of a key's cooldown
    WAITING_FIRST_TOKEN = "waiting_first_token"  # noqa: S105 - a state
    STREAMING = "streaming"  # tokens arrive, whether they are passed on at once or not
    SENDING = "sending"  # complete, but its client has not read all of it


@dataclass(frozen=True, slots=True, eq=False)
class RunningRequest:
    """One request that asks a model. `started` is on trio's clock; `questions` returns its current questions."""

    request_id: str
    client: str
    model: str
    route: str
    stream: bool
    started: float
    questions: Callable[[], Sequence[Question]]

    def row(self, now: float) -> dict[str, Any]:
        """What may be shown: none of its content. With several answers (`n`), the first incomplete one stands for the
        request, and their tokens are added up."""
        questions = self.questions()
        head = next((each for each in questions if state_of(each) is not RequestState.SENDING), questions[0])
        state = state_of(head)
        first_at = min((each.spoke_at for each in questions if each.spoke_at is not None), default=None)
        tokens = sum(_tokens(each.answer) for each in questions)
        return {
            "request_id": self.request_id,
            "client": self.client,
            "model": self.model,
            "route": self.route,
            "stream": self.stream,
            "state": state.value,
            "age_seconds": round(now - self.started, 2),
            "first_token_seconds": None if first_at is None else round(first_at - self.started, 2),
            "output_tokens": tokens,
            "tokens_per_second": _rate(tokens, first_at, now) if state is RequestState.STREAMING else None,
            "worker": None if state is RequestState.SENDING else head.worker_pid,
            "how": head.how,
            "key": head.key,
            "attempts": head.attempts.count,
        }


def state_of(question: Question) -> RequestState:
    """How far one question has come."""
    if question.answer.finished is not None:
        return RequestState.SENDING
    if question.spoke_at is not None:
        return RequestState.STREAMING
    if question.waits_for_key:
        return RequestState.WAITING_FOR_KEY
    return RequestState.QUEUED if question.worker_pid is None else RequestState.WAITING_FIRST_TOKEN


def _tokens(answer: Answer) -> int:
    """As counted by the upstream, once it has; until then, an estimate."""
    return answer.counted.completion if answer.finished is not None else said_tokens(answer)


def _rate(tokens: int, first_at: float | None, now: float) -> float | None:
    return None if first_at is None or now <= first_at else round(tokens / (now - first_at), 1)
