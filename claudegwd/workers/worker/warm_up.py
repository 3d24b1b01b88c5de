"""A spare's warm-up: one question that reaches nobody, so that the CLI is warm for the first real one.

The first question of a process takes some 15 ms longer than the second (observed: code is loaded and compiled on first
use). A side question leaves no trace in the conversation, and with an invalid base URL it fails before anything leaves
the process. Until it is answered, all other writes wait here: credentials that arrive too early would send it upstream
after all.
"""

from collections.abc import Callable, Mapping

from claudegwd.claude_cli import commands
from claudegwd.keys.key import BASE_URL_VARIABLE, NO_URL

# It takes about 40 ms; on a saturated machine, a spare waits for the processor. A CLI that takes longer than this does
# not know the command, or is broken.
WARM_UP_SECONDS = 30.0

# The settings of the first request replace all of them: if keys are configured, they name all three.
_NOWHERE: Mapping[str, str] = {
    BASE_URL_VARIABLE: NO_URL,
    "ANTHROPIC_AUTH_TOKEN": "none",
    "ANTHROPIC_API_KEY": "",
}
_SETTINGS_ID, _QUESTION_ID = "warm-up-settings", "warm-up-question"


class WarmUp:
    """Sits between a worker and its process's stdin; the worker writes through `send`."""

    def __init__(self, send: Callable[[bytes], None], clock: Callable[[], float]) -> None:
        self._send = send
        self._clock = clock
        self._held: list[bytes] = []
        self._began: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is running."""
        return self._began is not None

    @property
    def is_stuck(self) -> bool:
        """Whether the CLI has not answered for so long that it never will."""
        return self._began is not None and self._clock() - self._began > WARM_UP_SECONDS

    def send(self, data: bytes) -> None:
        """Write at once, or when the warm-up is over."""
        if self.is_on:
            self._held.append(data)
        else:
            self._send(data)

    def begin(self) -> None:
        """Ask the question."""
        self._began = self._clock()
        question = commands.side_question(_QUESTION_ID, "-")
        self._send(commands.settings(_SETTINGS_ID, {"env": _NOWHERE}) + question)

    def takes(self, request_id: str) -> bool:
        """Whether this is a reply to the warm-up, whatever it says. The reply to its question ends the warm-up."""
        if request_id == _QUESTION_ID:
            self._began = None
            held, self._held = self._held, []
            self._send(b"".join(held))
        return request_id in (_SETTINGS_ID, _QUESTION_ID)
