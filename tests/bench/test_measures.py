from __future__ import annotations

import math

from tests.bench.measures import Report, quantile, table, times


def test_quantiles_lie_between_the_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0, 2.0], 0.5) == 1.5
    assert quantile([1.0], 0.99) == 1.0
    assert math.isnan(quantile([], 0.5))


def test_times_of_nothing_are_no_numbers() -> None:
    found = times([])
    assert found.count == 0
    assert math.isnan(found.median)
    assert math.isnan(found.worst)


def test_the_table_shows_every_section_and_the_verdicts() -> None:
    report = Report()
    report.durations("First", "one", [0.1, 0.2, 0.3], "a note")
    report.figure("Second", "two", 12.3456, "MB")
    report.target("fast enough", 2.0, 3.0, "ms")
    report.target("often enough", 2.0, 3.0, "times", low=True)
    text = table(report)
    assert "| one | 3 | 200 ms | 280 ms | 298 ms | 300 ms | a note |" in text
    assert "| two | | 12.3 MB |" in text
    assert "| fast enough | 2.00 ms | ≤ 3.00 ms | met |" in text
    assert "| often enough | 2.00 times | ≥ 3.00 times | **missed** |" in text


def test_a_figure_that_is_no_number_reaches_nothing() -> None:
    report = Report()
    report.target("unknown", float("nan"), 3.0, "ms")
    report.target("unknown", float("nan"), 3.0, "ms", low=True)
    assert [target.reached for target in report.targets] == [False, False]
    assert report.as_json()["targets"][0]["reached"] is False
