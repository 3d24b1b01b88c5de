from __future__ import annotations

import msgspec
import pytest

from claudegwd.limits.elsewhere import HELD_SECONDS, Elsewhere, MachineSpent, Sum, decode_spent, encode_spent

NOW = 1_700_000_000.0
SAID = MachineSpent(NOW, {"day": Sum(5.0, 1.5, 10.0), "month": Sum(1.0, 7.0, 70.0)}, 0.5, 3.0)


def test_what_all_machines_say_is_added_and_a_later_word_takes_the_place_of_an_earlier_one() -> None:
    elsewhere = Elsewhere()
    assert elsewhere.spent("ann", "day", 5.0, "usd") == 0.0
    elsewhere.put("ann", "one", SAID)
    elsewhere.put("ann", "two", SAID)
    assert elsewhere.spent("ann", "day", 5.0, "usd") == 3.0
    assert elsewhere.spent("ann", "month", 1.0, "tokens") == 140.0
    assert elsewhere.spent("ann", "day", 6.0, "usd") == 0.0  # of another day
    assert elsewhere.spent("bob", "day", 5.0, "usd") == 0.0
    elsewhere.put("ann", "two", MachineSpent(NOW + 1, {}))
    elsewhere.put("ann", "two", SAID)  # late
    assert elsewhere.spent("ann", "day", 5.0, "usd") == 1.5
    elsewhere.keep(["bob"])
    assert elsewhere.spent("ann", "day", 5.0, "usd") == 0.0


def test_what_is_held_is_believed_for_a_while() -> None:
    elsewhere = Elsewhere()
    elsewhere.put("ann", "one", SAID)
    assert (elsewhere.held("ann", "usd", NOW), elsewhere.held("ann", "tokens", NOW)) == (0.5, 3.0)
    assert elsewhere.held("ann", "usd", NOW + HELD_SECONDS + 1) == 0.0
    assert elsewhere.spent("ann", "day", 5.0, "usd") == 1.5


def test_it_comes_whole_out_of_its_bytes() -> None:
    assert decode_spent(encode_spent(SAID)) == SAID


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode([1.0, {"year": [1.0, 1.0, 1.0]}]),
        encode_spent(MachineSpent(NOW, {"day": Sum(1.0, float("nan"), 0.0)})),
        encode_spent(MachineSpent(NOW, {}, float("-inf"))),
    ],
)
def test_what_says_nothing(data: bytes) -> None:
    assert decode_spent(data) is None
