"""Keeps the CLI from sending further upstream requests on its own after an answer.

It would do that within 12 ms if the answer is cut off at its limit, is blank, or calls an undeclared tool. The worker
is killed at once, but on a busy machine that can be too late. So the CLI loses the upstream's address while the answer
is still arriving: the running request is not affected, and further ones fail inside the machine (observed). This costs
the CLI some 7 ms, so it is done only when such an end is near.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from claudegwd.translate.answer.outputs import Output, Reasoning, TextPiece, ToolArguments
from claudegwd.translate.request.parameters import DEFAULT_MAX_TOKENS, MAX_OUTPUT_TOKENS

# The "discard" port: whatever may listen there ignores its input.
SETTINGS: Mapping[str, Any] = {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}


class RetryBlock:
    """Pure. `settings` are those of the question. `is_up`: the block's settings were written."""

    def __init__(self, settings: Mapping[str, Any] | None) -> None:
        env = (settings or {}).get("env", {})
        self.is_up = False
        self._limit = int(env.get(MAX_OUTPUT_TOKENS) or DEFAULT_MAX_TOKENS)
        self._said = 0

    def is_due(self, outputs: Sequence[Output], *, invites_another: bool = False) -> bool:
        """Take new outputs; returns whether the block must go up now.

        It must when the answer so far `invites_another`, or when it has as many bytes as the limit has tokens: a token
        has at least one byte, usually four, so before that the limit is far.
        """
        self._said += sum(
            len(output.raw) for output in outputs if isinstance(output, TextPiece | Reasoning | ToolArguments)
        )
        return not self.is_up and (invites_another or self._said >= self._limit)
