from claudegwd.store.change_time import next_change


def test_a_change_is_made_now() -> None:
    assert next_change(20.0, before=10.0) == 20.0


def test_a_change_is_later_than_one_by_a_clock_that_is_ahead() -> None:
    assert 20.0 < next_change(10.0, before=20.0) < 20.01
    assert next_change(20.0, before=20.0) > 20.0
