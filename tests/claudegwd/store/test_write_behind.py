"""When what is noted is written."""

import trio
import trio.testing

from claudegwd.store.write_behind import LAST_WRITE_SECONDS, RETRY_SECONDS, write_behind


class Notes:
    """A disk that fails while `fails`, and then one that hangs while `hangs`."""

    def __init__(self) -> None:
        self.changed = trio.Event()
        self.at: list[float] = []
        self.fails = self.hangs = False

    async def flush(self) -> bool:
        self.changed = trio.Event()
        self.at.append(trio.current_time())
        if self.hangs:
            await trio.sleep_forever()
        if self.fails:
            self.changed.set()
        return not self.fails


async def test_a_while_after_the_note_and_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    notes = Notes()
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(write_behind, lambda: notes.changed, notes.flush, 1.0)
        await trio.sleep(5)
        assert notes.at == []
        notes.changed.set()
        await trio.sleep(5)
        assert [at - began for at in notes.at] == [6]
        nursery.cancel_scope.cancel()
    assert [at - began for at in notes.at] == [6, 10]


async def test_a_disk_that_fails_is_tried_again_and_one_that_hangs_left_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    notes = Notes()
    notes.fails = True
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(write_behind, lambda: notes.changed, notes.flush, 1.0)
        notes.changed.set()
        await trio.sleep(RETRY_SECONDS + 3)
        assert [at - began for at in notes.at] == [1, RETRY_SECONDS + 2]
        notes.fails, notes.hangs = False, True
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began == RETRY_SECONDS + 3 + LAST_WRITE_SECONDS
