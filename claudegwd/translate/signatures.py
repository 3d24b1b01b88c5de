"""Answers with signed thinking, kept so that a replay can include it.

OpenAI's protocol has no field for signatures, so clients do not send them back. A kept conversation has them in its
process; on another process, the Messages API misses the thinking before a tool call, and rejects the request or turns
thinking off.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from claudegwd.claude_cli.commands import LONE_SURROGATE
from claudegwd.translate.answer.outputs import Finished
from claudegwd.translate.arguments import canonical
from claudegwd.translate.request.history import Entry
from claudegwd.translate.request.plan import Plan

# Of all clients together: an answer with its thinking takes about 10 kB, so this reaches back some thousand tool calls.
MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    model: str
    blocks: tuple[dict[str, Any], ...]
    size: int


class Signatures:
    """A bounded store; the least recently used goes first.

    Keys are digests of conversations, which begin with the client's name: nobody gets another client's thinking.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def remember(self, digest: bytes, model: str, finished: Finished) -> None:
        """Keep an answer that has signed thinking. `digest`: of the conversation with it; `model`: which gave it."""
        if not finished.said or not model or _is_broken(finished.said):
            return
        size = len(canonical(finished.said))
        if size > self._max:
            return
        self._drop(digest)
        self._kept[digest] = _Kept(model, finished.said, size)
        self._bytes += size
        while self._bytes > self._max:
            self._drop(next(iter(self._kept)))

    def restored(self, plan: Plan, held: int) -> Plan:
        """The plan for a worker that has `held` of its entries already: the others get their thinking back.

        If the Messages API would miss some of it, thinking is turned off for this question.
        """
        if plan.own_body is not None:
            return plan  # its client sends the thinking back itself
        # Not the last: it is the question, or a text of the client's for the model to continue.
        *given, last = plan.entries[held:]
        entries = (*plan.entries[:held], *map(self._entry, given), last)
        settings = plan.settings
        if _misses_thinking(entries, held) and settings.body.get("thinking", {}).get("type") == "enabled":
            settings = settings.without_thinking()
        return replace(plan, entries=entries, settings=settings)

    def _entry(self, entry: Entry) -> Entry:
        kept = self._kept.get(entry.digest)
        if kept is None or entry.role != "assistant":
            return entry
        self._kept.move_to_end(entry.digest)
        return replace(entry, blocks=kept.blocks, model=kept.model)

    def _drop(self, digest: bytes) -> None:
        kept = self._kept.pop(digest, None)
        if kept is not None:
            self._bytes -= kept.size


def _is_broken(said: Sequence[dict[str, Any]]) -> bool:
    """Whether it contains a lone surrogate: what is signed cannot be repaired, and the upstream would reject it."""
    return any(LONE_SURROGATE.search(text) for block in said for text in block.values() if isinstance(text, str))


def _misses_thinking(entries: Sequence[Entry], held: int) -> bool:
    """Whether, as far as the model can see, a tool round is running that did not begin with thinking.

    For the Messages API all answers since the last question are one turn, which must begin with thinking if there is a
    thinking budget. Adaptive thinking has no such rule.
    """
    for index in range(len(entries) - 1, -1, -1):
        entry = entries[index]
        if entry.role == "user" and not entry.results:
            first = index + 1
            return held <= first < len(entries) and entries[first].blocks[0]["type"] not in _THINKING
    return False


_THINKING = ("thinking", "redacted_thinking")
