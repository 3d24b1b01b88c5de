"""A wall between the CLI and its upstream, for the end of an answer that may be cut by its limit.

Left alone, the CLI asks again 12 ms after such an answer. The worker is killed at once, but on a busy machine that can
be too late. So the upstream's address is taken from the CLI while the answer is still coming: the request under way is
not touched, and what would follow it fails inside the machine (observed). It costs the CLI some 7 ms, so it is done
only when the limit can be near.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from claudegwd.translate.outputs import Output, Reasoning, Text, ToolArguments
from claudegwd.translate.parameters import DEFAULT_MAX_TOKENS, MAX_OUTPUT_TOKENS

# Nothing listens on the port of "discard", and who may has no use for it.
SETTINGS: Mapping[str, Any] = {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}


class Wall:
    """Pure. `is_up`: its settings were written, and the CLI's own have to be written again before it may ask."""

    def __init__(self) -> None:
        self.is_up = False
        self._limit = 0
        self._said = 0

    def begin(self, settings: Mapping[str, Any] | None) -> None:
        """A question is asked with these settings."""
        env = (settings or {}).get("env", {})
        self._limit = int(env.get(MAX_OUTPUT_TOKENS) or DEFAULT_MAX_TOKENS)
        self._said = 0

    def is_due(self, outputs: Sequence[Output]) -> bool:
        """Take what was said; whether the wall has to go up now: as many bytes as the limit has tokens have been said.

        A token has at least one byte and mostly four, so before that the limit is far.
        """
        self._said += sum(len(output.raw) for output in outputs if isinstance(output, Text | Reasoning | ToolArguments))
        return not self.is_up and self._said >= self._limit
