import pytest

from claudegwd.keys.failure_words import in_words
from claudegwd.keys.failures import FailureKind


@pytest.mark.parametrize("kind", list(FailureKind))
def test_people_are_told_in_words(kind: FailureKind) -> None:
    said = in_words(kind, 429, "its own words")
    assert said.endswith(" (429): its own words")
    assert "_" not in said
