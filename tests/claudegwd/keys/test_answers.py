"""What differs between two lists of keys."""

from claudegwd.keys.answers import KeysDiff
from claudegwd.keys.key import UpstreamKey


def key(name: str, token: str = "sk-false-1") -> UpstreamKey:
    return UpstreamKey(name, token)


def test_what_differs_is_told_in_the_order_of_the_lists() -> None:
    old = [key("gone-2"), key("same"), key("changed"), key("gone-1")]
    new = [key("new-2"), key("changed", "sk-false-2"), key("same"), key("new-1")]
    assert KeysDiff.between(iter(old), iter(new)) == KeysDiff(
        added=("new-2", "new-1"), removed=("gone-2", "gone-1"), changed=("changed",)
    )


def test_another_order_is_no_difference() -> None:
    assert KeysDiff.between([key("a"), key("b")], [key("b"), key("a")]) == KeysDiff()
