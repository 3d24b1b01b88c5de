"""What a request may use of its client's limits and budgets, reserved before a model is asked."""

from collections.abc import Sequence

import trio

from claudegwd.limits.spending import Reservation
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.public.call import Call
from claudegwd.translate.request.estimate import answer_tokens, most_tokens, prompt_tokens
from claudegwd.translate.request.plan import Plan


async def reserve(call: Call, plans: Sequence[Plan], operation: str) -> None:
    """Reserve what the answers to these plans may use, until the request ends.

    Raises InvalidRequest for more plans than there may be workers, which would wait for each other; BudgetReached;
    RateLimitExceeded and RequestTooLarge.
    """
    call.record.model = plans[0].model.id
    most = call.gateway.config.workers.max
    if len(plans) > most:
        param = "prompt" if operation == "text_completion" else "n"
        raise InvalidRequest(f"cannot return {len(plans)} answers at once: ask for at most {most}", param=param)
    call.ending.callback(_reserve_budget(call, plans).end)
    await _reserve_tokens(call, plans)


async def reserve_nothing(call: Call) -> None:
    """The same for a request that turns out to ask no model."""
    if call.admission.take is not None:
        await call.admission.take(0, 0)


async def _reserve_tokens(call: Call, plans: Sequence[Plan]) -> None:
    admission = call.admission
    if admission.take is None and not admission.counts_tokens:
        return
    prompt, answer = sum(map(prompt_tokens, plans)), sum(map(answer_tokens, plans))
    if admission.take is not None:
        await admission.take(prompt, answer)
    else:
        admission.reserve(prompt, answer, trio.current_time())


def _reserve_budget(call: Call, plans: Sequence[Plan]) -> Reservation:
    client, spending = call.client, call.gateway.clients.book.spending
    if not client.budgets:
        return Reservation()
    prompt, answer = sum(map(prompt_tokens, plans)), sum(map(most_tokens, plans))
    now = call.gateway.ledger.clock()
    held = spending.reserve(client.name, client.budgets, plans[0].model.id, prompt, answer, now)
    if plans[0].model.workspace:
        held.end()  # each request made for the answer reserves its own
    return held
