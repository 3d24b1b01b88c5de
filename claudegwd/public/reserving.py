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
    check_number(call, len(plans), operation)
    admission, budgets = call.admission, call.client.budgets
    if not (budgets or admission.take is not None or admission.counts_tokens):
        return
    prompt = sum(map(prompt_tokens, plans))  # once: it reads the whole conversation
    if budgets:
        call.ending.callback(_reserve_budget(call, plans, prompt).end)
    if admission.take is not None:
        await admission.take(prompt, sum(map(answer_tokens, plans)))
    elif admission.counts_tokens:
        admission.reserve(prompt, sum(map(answer_tokens, plans)), trio.current_time())


def check_number(call: Call, answers: int, operation: str) -> None:
    """Raise InvalidRequest for more answers than there may be workers."""
    most = call.gateway.config.workers.max
    if answers > most:
        param = "prompt" if operation == "text_completion" else "n"
        raise InvalidRequest(f"cannot return {answers} answers at once: ask for at most {most}", param=param)


async def reserve_nothing(call: Call) -> None:
    """The same for a request that turns out to ask no model."""
    if call.admission.take is not None:
        await call.admission.take(0, 0)


def _reserve_budget(call: Call, plans: Sequence[Plan], prompt: int) -> Reservation:
    client, model, now = call.client, plans[0].model, call.gateway.ledger.clock()
    most = sum(map(most_tokens, plans))
    held = call.gateway.clients.book.spending.reserve(client.name, client.budgets, model.id, prompt, most, now)
    if model.workspace:
        held.end()  # each request made for the answer reserves its own
    return held
