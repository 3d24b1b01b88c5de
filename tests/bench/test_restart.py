from tests.bench.restart import restart


async def test_no_answer_that_had_begun_is_lost_by_a_restart() -> None:
    tally = await restart(6, deltas=40)
    assert (tally.begun, tally.whole, tally.sent_on, tally.answered_again) == (6, 6, 6, 6)
