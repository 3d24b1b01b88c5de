"""What is made of the report of a suite that ran in the other environment."""

from __future__ import annotations

from pathlib import Path

from tests.foreign.environment import outcome_of

REPORT = """<testsuites><testsuite>
<testcase classname="a.TestB" name="good" />
<testcase classname="a" name="bad"><failure message="no">words</failure></testcase>
<testcase classname="" name="broken"><error message="not found">words</error></testcase>
<testcase classname="a" name="not asked"><skipped message="why">words</skipped></testcase>
</testsuite></testsuites>"""


def test_what_has_failed_has_not_passed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    outcome = outcome_of(report, "words")
    assert outcome.passed == {"TestB::good"}
    assert outcome.failed == {"a::bad": "no", "::broken": "not found"}
    assert outcome.skipped == {"a::not asked": "why"}
