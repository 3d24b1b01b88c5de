"""The simulation does what it says of HAProxy's hashing."""

from __future__ import annotations

from tests.bench.spread import Circle, choose, simulate


def test_a_name_has_one_home_and_every_machine_comes_behind_it() -> None:
    circle = Circle(5)
    assert circle.home("a") == Circle(5).home("a")
    assert set(circle.machines_for("a")) == set(range(5))


def test_one_machine_more_moves_few_and_only_to_itself() -> None:
    before, after = Circle(10), Circle(11)
    names = [f"n{number}" for number in range(2000)]
    moved = [name for name in names if before.home(name) != after.home(name)]
    assert {after.home(name) for name in moved} == {10}
    assert len(moved) < 2 * len(names) / 11


def test_who_has_its_bound_is_passed_over() -> None:
    circle = Circle(3)
    home = circle.home("a")
    full = [0, 0, 0]
    full[home] = 5
    assert choose(circle, [0, 0, 0], "a", 1.5) == home
    assert choose(circle, full, "a", 1.5) != home
    assert choose(circle, full, "a", 10.0) == home


def test_bounded_loads_trade_home_for_balance() -> None:
    loose = simulate(5, 100, 600, 20, 100, factor=100.0)
    tight = simulate(5, 100, 600, 20, 100, factor=1.1)
    assert loose.at_home == 1.0
    assert tight.at_home < 1.0
    assert tight.heaviest < loose.heaviest
    assert loose == simulate(5, 100, 600, 20, 100, factor=100.0)
