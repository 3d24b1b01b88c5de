"""When starts fail: stand back longer each time, and still try again."""

from claudegwd.workers.pool.starts import BACKOFF_LAST_SECONDS, MAX_FAILED_STARTS, Starts


def test_the_pause_doubles_up_to_its_bound_and_passes() -> None:
    starts = Starts()
    assert starts.pause(0.0) == 0.0
    pauses = []
    for _ in range(12):
        starts.fail(100.0)
        pauses.append(starts.pause(100.0))
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(pauses) == BACKOFF_LAST_SECONDS
    assert starts.pause(100.0 + BACKOFF_LAST_SECONDS) == 0.0


def test_requests_are_refused_only_during_the_pause_after_several_failures() -> None:
    starts = Starts()
    for _ in range(MAX_FAILED_STARTS - 1):
        starts.fail(0.0)
    assert not starts.hopeless(0.0)
    starts.fail(0.0)
    assert starts.hopeless(0.0)
    assert not starts.hopeless(starts.pause(0.0))  # one may try: without that nothing would ever mend
    starts.succeeded(-1.0)  # one that was started before
    assert starts.hopeless(0.0)
    starts.succeeded(1.0)
    assert not starts.hopeless(0.0)
