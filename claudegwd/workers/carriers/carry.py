"""How a plan reaches the upstream through a CLI process: whole, as one body, or as the turns of a transcript."""

from collections.abc import Mapping
from typing import Any, Protocol

from claudegwd.claude_cli import commands
from claudegwd.keys.answers import NoKeys
from claudegwd.keys.key import BASE_URL_VARIABLE, UpstreamKey
from claudegwd.translate.request.parameters import EXTRA_BODY
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.request.whole_body import whole_body
from claudegwd.workers.carriers.replay import replay
from claudegwd.workers.pool.choice import Way
from claudegwd.workers.worker.output_channel import OutputReceiver
from claudegwd.workers.worker.worker import Worker

Credentials = Mapping[str, str]


class Loan(Protocol):
    """A borrowed worker: how it was had, and how many of the plan's entries it keeps."""

    worker: Worker
    way: Way
    held: int


async def carry(
    loan: Loan, plan: Plan, credentials: Credentials, key: str, *, again: bool, system: bool
) -> OutputReceiver:
    """Ask the plan's question; the outputs come on what is returned. Raises WorkerLost.

    `again`: in the process that has just failed with it. `system`: a whole body holds the system prompt.
    """
    worker = loan.worker
    if again:
        await worker.turn.until_settled()
    elif loan.way in (Way.SPARE, Way.COLD):
        whole = worker.launch.whole
        worker.initialize("" if whole and system else plan.system, () if whole else plan.tools.manifest)
    settings = plan.settings.values(dict(credentials))
    if worker.launch.whole:
        return _whole(worker, plan, settings, key, system=system)
    return await _turns(loan, plan, settings, key, again=again)


def _whole(worker: Worker, plan: Plan, settings: dict[str, Any], key: str, *, system: bool) -> OutputReceiver:
    # The CLI's own question is a placeholder; its text reaches nobody.
    env = {**settings["env"], EXTRA_BODY: whole_body(plan, system=system)}
    worker.settings.put({**settings, "env": env}, key)
    reader = worker.ask(plan.turn(), commands.ask("."))
    worker.settings.forget()  # a body of megabytes
    return reader


async def _turns(loan: Loan, plan: Plan, settings: dict[str, Any], key: str, *, again: bool) -> OutputReceiver:
    worker, held = loan.worker, loan.held
    if loan.way is Way.REWOUND and len(worker.transcript) > held and not again:
        await worker.go_back(held)
    worker.settings.put(settings, key)
    kept = len(plan.entries) - 1
    if again:
        return worker.ask(plan.turn(), commands.ask([]), kept=kept)
    if loan.way is Way.PARKED:
        entry = plan.entries[held]
        worker.transcript.add(entry.digest)
        return worker.ask(plan.turn(), b"", kept=kept, results=entry.results)
    lines = await replay(worker, plan, held)
    # What the model adds to a beginning of its own cannot be told from what the client will make of the two.
    return worker.ask(plan.turn(), lines, kept=kept, last_use=plan.is_prefill)


def credentials(key: UpstreamKey | NoKeys, worker: Worker) -> Credentials:
    """The variables that say whose credentials are used, and where. Without keys they are in the environment since the
    start; the address is said anew each time, because the worker may have taken it away."""
    if isinstance(key, UpstreamKey):
        return key.for_worker()
    return {BASE_URL_VARIABLE: worker.launch.env.get(BASE_URL_VARIABLE, "")}
