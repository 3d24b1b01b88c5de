"""How a plan reaches the upstream through a CLI process: whole, as one body, or as the turns of a transcript."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

from claudegwd.claude_cli import commands
from claudegwd.keys.answers import NoKeys
from claudegwd.keys.key import UpstreamKey
from claudegwd.translate.request.parameters import EXTRA_BODY
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.request.whole_body import whole_body
from claudegwd.workers.carriers.replay import replay
from claudegwd.workers.pool.choice import Way
from claudegwd.workers.worker.output_channel import OutputReceiver
from claudegwd.workers.worker.worker import Worker

Credentials = Mapping[str, str]


class Loan(Protocol):
    """A borrowed worker: how it was obtained, and how many of the plan's entries it keeps."""

    worker: Worker
    way: Way
    held: int


async def carry(
    loan: Loan, plan: Plan, credentials: Credentials, key: str, *, again: bool, system: bool
) -> OutputReceiver:
    """Ask the plan's question; returns the channel of its outputs. Raises WorkerLost.

    `again`: ask the process that has just failed it. `system`: a whole body includes the system prompt.
    """
    worker = loan.worker
    if again:
        await worker.turn.until_settled()
    elif not worker.is_initialized:
        whole = worker.launch.whole
        worker.initialize("" if whole and system else plan.system, () if whole else plan.tools.manifest)
    settings = plan.settings.values(dict(credentials))
    if worker.launch.whole:
        return _whole(worker, plan, settings, key, system=system)
    return await _turns(loan, plan, settings, key, again=again)


def _whole(worker: Worker, plan: Plan, settings: dict[str, Any], key: str, *, system: bool) -> OutputReceiver:
    # The CLI's own question is a placeholder; its text is never sent.
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
        uuid = str(uuid4())
        worker.transcript.ask_again(uuid)
        return worker.ask(plan.turn(), commands.ask([], uuid), kept=kept, cut_back=plan.is_prefill)
    if loan.way is Way.PARKED:
        entry = plan.entries[held]
        worker.transcript.add(entry.digest)
        return worker.ask(plan.turn(), b"", kept=kept, results=entry.results)
    lines = await replay(worker, plan, held)
    # After a prefill, we cannot know how the client will join the two halves of the answer in its history.
    return worker.ask(plan.turn(), lines, kept=kept, cut_back=plan.is_prefill)


def credentials(key: UpstreamKey | NoKeys, worker: Worker) -> Credentials:
    """The variables for credentials and base URL. Without keys, credentials are in the environment from the start; the
    URL is repeated each time, because the worker may have removed it."""
    if isinstance(key, UpstreamKey):
        return key.for_worker()
    address = worker.settings.address
    return {address: worker.launch.env.get(address, "")}
