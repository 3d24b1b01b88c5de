from __future__ import annotations

import pytest

from claudegwd.keys.marks import EVENTS, KeyMark, decode_mark, encode_mark, mark_of
from claudegwd.keys.states import KeyState


@pytest.mark.parametrize("state", EVENTS)
def test_a_mark_arrives_as_it_was_sent(state: KeyState) -> None:
    mark = KeyMark("aa", state, 5.0, 9.0, "one")
    assert decode_mark(encode_mark(mark)) == mark


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b'{"digest":"a","state":"odd","at":1}', b'{"digest":"a","state":"disabled","at":1}',
             b"\xff"],
)  # fmt: skip
def test_what_is_no_mark(data: bytes) -> None:
    assert decode_mark(data) is None


@pytest.mark.parametrize(
    ("state", "until", "stands"),
    [
        (KeyState.INVALID, 0.0, True),
        (KeyState.COOLING, 101.0, True),
        (KeyState.COOLING, 99.0, False),
        (KeyState.EXHAUSTED, 101.0, True),
        (KeyState.READY, 0.0, False),
    ],
)
def test_what_stands_against_a_key(state: KeyState, until: float, stands: bool) -> None:
    assert KeyMark("aa", state, 5.0, until).stands(100.0) is stands


def test_what_each_machine_says_for_itself_is_no_mark() -> None:
    assert mark_of("aa", KeyState.ACTIVE, 0.0, 5.0, "one").state is KeyState.READY
    assert mark_of("aa", KeyState.DISABLED, 0.0, 5.0, "one").state is KeyState.READY
    assert mark_of("aa", KeyState.COOLING, 8.0, 5.0, "one").until == 8.0
    assert mark_of("aa", KeyState.INVALID, 8.0, 5.0, "one").until == 0.0
