"""What one question has tried, and whether it may be retried. Pure.

A question is retried only until its first token is sent, so nothing is sent twice.
"""

from dataclasses import dataclass, field

from claudegwd.keys.addresses import UNANSWERED
from claudegwd.keys.answers import NoKeys
from claudegwd.keys.failures import FAILURES, FailureKind, FailureRule, RetryRule, error_for
from claudegwd.keys.key import UpstreamKey
from claudegwd.openai_api.errors import GatewayError
from claudegwd.redact import redact
from claudegwd.translate.answer.turn import Failed

# In addition to the limits of the failure table: trying more keys than this for one request is a loop.
MAX_ATTEMPTS = 64


@dataclass(slots=True)
class Attempts:
    """What one question has tried so far."""

    tried: set[str] = field(default_factory=set)
    avoided: set[str] = field(default_factory=set)  # addresses that did not answer it
    spent: dict[FailureKind, int] = field(default_factory=dict)
    count: int = 0
    processes_failed: bool = False
    broken_off: bool = False  # after the upstream had begun to answer
    spoke: bool = False  # one of them produced a first token
    held_until: float | None = None  # wall clock: the end of all waits for keys together

    def take(
        self, failed: Failed, key: UpstreamKey | NoKeys, *, begun: bool, backs_off: bool
    ) -> tuple[FailureRule, int]:
        """What to do after a failure under this key, and how often that was done before. `begun`: the upstream had
        begun to answer; `backs_off`: it may be asked again after a pause. Raises the failure's error if nothing is left
        to try."""
        rule, spent = FAILURES[failed.kind], self.spent.get(failed.kind, 0)
        self.spent[failed.kind] = spent + 1
        over = rule.retries is not None and spent >= rule.retries
        if rule.retry is RetryRule.OTHER_ADDRESS and not backs_off:
            over = True
        # Once it has begun, it costs money. An answer that broke off is retried once; one that fell silent is not, as
        # it would take just as long again.
        if begun:
            over = over or failed.kind is FailureKind.SILENT or self.broken_off
            self.broken_off = True
        if rule.retry is RetryRule.NEVER or over or self.count >= MAX_ATTEMPTS:
            raise error_of(failed)
        if rule.retry is RetryRule.NEXT_KEY:
            self.tried.add(key.name)
        if failed.kind in UNANSWERED:
            self.avoided.add(key.address)
        if rule.retry is RetryRule.OTHER_PROCESS:
            self.processes_failed = True
        return rule, spent


def error_of(failed: Failed) -> GatewayError:
    """What the client is told about it."""
    return error_for(failed.kind, detail=redact(failed.detail))
