"""Which notices were sent, so that nothing is reported twice, and a flapping state does not cause a flood. Pure."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from claudegwd.notify.notice import Notice

# At most this many notices of the same event and subject within this time: after three, people know.
SAME_SECONDS: Final = 6 * 3600.0
SAME_MAX: Final = 3
# Enough for a gateway with thousands of clients and keys; the oldest are forgotten, and may be sent once more.
ROWS_MAX: Final = 5000


class Place(NamedTuple):
    """What notices are counted by."""

    event: str
    subject: str
    part: str


class Told(NamedTuple):
    """When it was sent, latest last, and until when it is not sent again."""

    times: tuple[float, ...]
    until: float


class Repeats:
    """What was sent. `rows` are those of an earlier run; store the one that `take` names."""

    def __init__(self, rows: Iterable[tuple[Place, Told]] = ()) -> None:
        self.rows: dict[Place, Told] = dict(rows)

    def take(self, notice: Notice) -> Place | None:
        """Note that this is being sent; None if it should not be."""
        place = Place(notice.event.value, notice.subject, notice.part)
        told = self.rows.pop(place, Told((), 0.0))
        # A clock that was set back must not silence anything: times in the future do not count.
        if any(at > notice.time for at in told.times):
            told = Told(tuple(at for at in told.times if at <= notice.time), 0.0)
        times = tuple(at for at in told.times if notice.time - SAME_SECONDS < at)
        if told.until > notice.time or len(times) >= SAME_MAX:
            self.rows[place] = told._replace(until=max(told.until, notice.once_until))
            return None
        self.rows[place] = Told((*times, notice.time), notice.once_until)
        if len(self.rows) > ROWS_MAX:
            del self.rows[next(iter(self.rows))]
        return place
