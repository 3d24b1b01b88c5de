"""Where a transcript can be cut."""

from claudegwd.workers.carriers.transcript import Transcript


def transcript(*uuids: str | None) -> Transcript:
    made = Transcript()
    for number, uuid in enumerate(uuids):
        made.add(bytes([number]), uuid)
    return made


def test_it_can_be_cut_before_what_has_a_uuid() -> None:
    held = transcript("a", None, "b", None, "c")
    assert [held.cut_point(most) for most in range(7)] == [0, 0, 2, 2, 4, 4, 4]


def test_results_that_came_in_mid_turn_go_with_the_question_before_them() -> None:
    held = transcript("a", None, "b", None, None, None)
    assert [held.cut_point(most) for most in (3, 4, 5)] == [2, 2, 2]


def test_results_that_were_replayed_go_with_it_too_but_are_the_last_line() -> None:
    held = transcript("a", None)
    held.add(b"results", "r", results=True)
    assert (held.cut_point(2), held.last_uuid) == (0, "r")
    held.ask_again("again")
    assert held.last_uuid == "again"
    held.add(b"answer")
    held.add(b"next", "b")
    assert (held.cut_point(4), held.last_uuid) == (4, "b")
    held.cut(4)
    assert held.last_uuid == "again"


def test_an_empty_one_is_cut_to_nothing() -> None:
    assert transcript().cut_point(3) == 0
    assert transcript().last_uuid == ""


def test_the_last_uuid_is_that_of_the_last_user_line() -> None:
    held = transcript("a", None, "b", None)
    assert held.last_uuid == "b"
    held.cut(2)
    assert (len(held), held.last_uuid, held.digests) == (2, "a", [b"\x00", b"\x01"])


def test_a_question_that_was_asked_again_is_cut_with_its_last_line() -> None:
    held = transcript("a", None, "b")
    held.ask_again("c")
    held.ask_again("d")
    assert (held.last_uuid, held.uuids[held.cut_point(2)]) == ("d", "b")
    held.add(b"answer")
    held.add(b"next", "e")
    assert held.last_uuid == "e"
    held.cut(4)
    assert held.last_uuid == "d"
    held.cut(2)
    assert held.last_uuid == "a"
