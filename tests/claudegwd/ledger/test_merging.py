from __future__ import annotations

from typing import Any

from claudegwd.ledger.entry import SUMS, Sums
from claudegwd.ledger.merging import merged
from claudegwd.ledger.query import UsageQuery, answer

QUESTION = UsageQuery(5.0, ("client", "model"))


def of_machine(*rows: tuple[str, str, int, Sums]) -> dict[str, Any]:
    """What one machine answers: client, model, errors and sums of each row."""
    total = Sums()
    for _, _, _, sums in rows:
        total.add(sums)

    def plain(sums: Sums) -> list[Any]:
        return [getattr(sums, name) for name in SUMS]

    lines = [(client, model, errors, *plain(sums)) for client, model, errors, sums in rows]
    return answer(QUESTION, lines, (sum(row[2] for row in rows), *plain(total)))


def test_the_answers_of_several_are_the_answer_of_one_that_had_all() -> None:
    ann = ("ann", "opus", 1, Sums(2, 100, 20, priced=2, cost=0.5, firsts=2, first_ms=200, all_ms=400))
    more = ("ann", "opus", 0, Sums(2, 50, 10, priced=2, cost=0.25, firsts=2, first_ms=400, all_ms=800))
    bob = ("bob", "sonnet", 0, Sums(1, 7, 3, unpriced=1, firsts=1, first_ms=100))
    both = Sums(4, 150, 30, priced=4, cost=0.75, firsts=4, first_ms=600, all_ms=1200)
    found = merged([of_machine(ann), of_machine(more, bob), of_machine()])
    assert found == of_machine(("ann", "opus", 1, both), bob)


def test_of_one_it_is_what_that_one_says_and_what_is_left_out_is_added() -> None:
    one = of_machine(("ann", "opus", 1, Sums(2, 100)))
    assert merged([one]) == one
    assert merged([{**one, "lost": 2}, {**one, "lost": 3, "rows_left_out": 4}])["lost"] == 5
    assert merged([one, {**one, "rows_left_out": 4}])["rows_left_out"] == 4


def test_without_a_group_there_is_one_row() -> None:
    plain = answer(UsageQuery(5.0, ()), [(0, 3)], (0, 3))
    [row] = merged([plain, plain])["rows"]
    assert row["requests"] == 6


def test_a_machine_of_another_version_may_say_more_or_less() -> None:
    """As while a fleet is upgraded."""
    old = of_machine(("ann", "opus", 1, Sums(2, 100)))
    new = {**old, "rows": [{**row, "new": 3} for row in old["rows"]], "total": {**old["total"], "new": 3}}
    for answers in ([old, new], [new, old]):
        found = merged(answers)
        assert (found["total"]["requests"], found["total"]["new"]) == (4, 3)
