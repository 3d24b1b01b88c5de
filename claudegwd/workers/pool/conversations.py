"""Which worker holds which conversation: digests to workers."""

from claudegwd.translate.request.history import Entry
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.request.tools import MAX_LIVE_RESULT_CHARS
from claudegwd.workers.worker.worker import Worker


class Conversations:
    """An index, kept by the pool, of every prefix that a worker at rest can continue from.

    If two workers hold the same prefix, the later one is found.
    """

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Worker] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def put(self, worker: Worker) -> None:
        """Add a worker at rest: its transcript must not change until `drop`."""
        self._by_digest.update(dict.fromkeys(worker.transcript.digests, worker))

    def drop(self, worker: Worker) -> None:
        """Remove a worker that was lent or is gone."""
        for digest in worker.transcript.digests:
            if self._by_digest.get(digest) is worker:
                del self._by_digest[digest]

    def find(self, plan: Plan) -> tuple[Worker, int] | None:
        """The worker that holds the longest prefix of this plan, and how many entries it holds.

        The digest begins with the client's name, so another client's worker is never found.
        """
        for held in range(len(plan.entries), 0, -1):
            worker = self._by_digest.get(plan.entries[held - 1].digest)
            if worker is not None:
                return worker, held
        return None


def fits_parked(plan: Plan, held: int) -> bool:
    """Whether all that is new in the plan is the results that a parked turn waits for, in a form that MCP supports."""
    new = plan.entries[held:]
    return len(new) == 1 and _is_plain(new[0])


def _is_plain(entry: Entry) -> bool:
    # MCP has no form for result blocks other than text and images (a document, say), and the CLI would wrap the user's
    # own text in words of its own.
    kinds = [block["type"] for result in entry.results for block in result.blocks]
    return (
        bool(entry.results)
        and not entry.blocks
        and all(result.chars <= MAX_LIVE_RESULT_CHARS for result in entry.results)
        and all(kind in ("text", "image") for kind in kinds)
    )
