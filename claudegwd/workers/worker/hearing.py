"""When the CLI last wrote something, and when its silence is reported. Pure: the clock is an argument."""

from collections.abc import Callable
from typing import Final

from claudegwd.workers.worker.states import ACKNOWLEDGE_SECONDS, START_SECONDS

# How often the reader of a silent turn is told, so that it sends a comment: proxies and clients give up on a silent
# connection after 30 to 60 s.
HEARTBEAT_SECONDS: Final = 15.0


class Hearing:
    """`has_begun`: the process has said something since it started. `acknowledged`: and since it was asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.has_begun = False
        self.acknowledged = False
        self._clock = clock
        self._at = self._told_at = clock()
        self._behind_since: float | None = None  # the reader of the answer is behind

    def ask(self) -> None:
        """A question is sent: from now on we wait for the CLI."""
        self.acknowledged = False
        self.hear()

    def hear(self) -> None:
        """It said something, or its upstream did."""
        self._at = self._clock()

    def wait_for_reader(self) -> None:
        """Nothing more is read from it until the answer's reader has caught up."""
        self._behind_since = self._at

    def read_on(self) -> None:
        self._behind_since = None
        self.hear()

    def silent_for(self) -> float:
        """Seconds since the CLI last wrote a line; 0 while it waits for us to read."""
        return 0.0 if self._behind_since is not None else self._clock() - self._at

    def unread_for(self) -> float:
        """How many seconds the answer's reader has been so far behind that the CLI must wait."""
        return self._clock() - self._behind_since if self._behind_since is not None else 0.0

    def acknowledge_within(self) -> float:
        """How long the CLI may take to react to a question: it may still be starting."""
        return ACKNOWLEDGE_SECONDS if self.has_begun else START_SECONDS

    def heartbeat_is_due(self) -> bool:
        """Whether its silence must be reported now; true once per heartbeat."""
        now = self._clock()
        due = now - max(self._at, self._told_at) >= HEARTBEAT_SECONDS
        if due:
            self._told_at = now
        return due
