"""Which worker holds which conversation: digest to worker."""

from collections.abc import Sequence

from claudegwd.translate.history import Entry
from claudegwd.translate.plan import Plan
from claudegwd.translate.tools import MAX_LIVE_RESULT_CHARS
from claudegwd.workers.states import WorkerState
from claudegwd.workers.worker import Worker


class Conversations:
    """An index, kept by the pool. Two workers with the same conversation: the later one is found."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Worker] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def put(self, worker: Worker, digest: bytes) -> None:
        self.drop(worker)
        worker.digest = digest
        self._by_digest[digest] = worker

    def drop(self, worker: Worker) -> None:
        if worker.digest is not None and self._by_digest.get(worker.digest) is worker:
            del self._by_digest[worker.digest]
        worker.digest = None

    def find(self, plan: Plan) -> tuple[Worker, int] | None:
        """The worker that holds the longest beginning of this plan, and how many entries it holds.

        The digest begins with the client's name, so a worker of another client is never found.
        """
        if plan.is_prefill:
            return None
        for held in range(len(plan.entries) - 1, 0, -1):
            worker = self._by_digest.get(plan.entries[held - 1].digest)
            if worker is not None:
                return worker, held
        return None


def fits_parked(worker: Worker, plan: Plan, held: int) -> bool:
    """Whether a parked worker can take what this plan brings: results alone, within the CLI's limits.

    Words beside them would go up as a system message in the CLI's own words, and stay in the conversation.
    """
    new = plan.entries[held:]
    return worker.state is WorkerState.PARKED and len(new) == 1 and _is_plain(new[0])


def fits_idle(worker: Worker, plan: Plan, held: int) -> bool:
    """Whether an idle worker can go on with this plan. Results belong to a parked one."""
    return worker.state is WorkerState.IDLE and not plan.entries[held].results


def _is_plain(entry: Entry) -> bool:
    # A result block that is no text or image (a document) has no form in MCP.
    kinds: Sequence[str] = [block["type"] for result in entry.results for block in result.blocks]
    return (
        bool(entry.results)
        and all(result.chars <= MAX_LIVE_RESULT_CHARS for result in entry.results)
        and all(kind in ("text", "image") for kind in kinds)
        and not entry.blocks
    )
