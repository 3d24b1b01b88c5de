"""A pure record of process starts, which decides when to back off and when to try again."""

from dataclasses import dataclass

# After consecutive failed starts, the pause before the next doubles from the first value to the last.
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LAST_SECONDS = 30.0

# This many consecutive failed starts are no accident: requests are refused, except for one attempt after each pause.
MAX_FAILED_STARTS = 3
# After this many, the next attempt is made without the log of the client library, whose flags the CLI may not know.
FAILED_STARTS_WITH_LOG = MAX_FAILED_STARTS - 1


@dataclass(slots=True)
class Starts:
    """`failed`: consecutive failures; `failed_at`: the time of the last one. The clock is an argument."""

    failed: int = 0
    failed_at: float = 0.0

    def succeeded(self, started_at: float) -> None:
        """A process that was started then works. One from before the last failure says nothing about the next."""
        if started_at > self.failed_at:
            self.failed = 0

    def fail(self, now: float) -> None:
        self.failed += 1
        self.failed_at = now

    def pause(self, now: float) -> float:
        """Seconds to wait before the next start; 0 if none."""
        if not self.failed:
            return 0.0
        pause = min(BACKOFF_FIRST_SECONDS * 2.0 ** min(self.failed - 1, 10), BACKOFF_LAST_SECONDS)
        return max(0.0, self.failed_at + pause - now)

    def hopeless(self, now: float) -> bool:
        """Whether a request would only wait for another failure."""
        return self.failed >= MAX_FAILED_STARTS and self.pause(now) > 0
