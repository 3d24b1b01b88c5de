"""A spare's rehearsal: what is written while it lasts waits for its end."""

import json

from claudegwd.workers.rehearsal import REHEARSAL_SECONDS, Rehearsal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_written_meanwhile_waits_and_keeps_its_order() -> None:
    written: list[bytes] = []
    rehearsal = Rehearsal(written.append, Clock())
    rehearsal.send(b"before\n")
    rehearsal.begin()
    asked = written[-1]
    rehearsal.send(b"first\n")
    rehearsal.send(b"second\n")
    assert written == [b"before\n", asked]
    settings, question = (json.loads(line) for line in asked.splitlines())
    assert rehearsal.takes(settings["request_id"])
    assert rehearsal.is_on
    assert rehearsal.takes(question["request_id"])
    assert not rehearsal.is_on
    rehearsal.send(b"third\n")
    assert b"".join(written) == b"before\n" + asked + b"first\nsecond\nthird\n"


def test_it_reaches_nobody_and_names_all_credentials() -> None:
    written: list[bytes] = []
    rehearsal = Rehearsal(written.append, Clock())
    rehearsal.begin()
    settings = json.loads(written[0].splitlines()[0])["request"]["settings"]
    assert settings == {
        "env": {"ANTHROPIC_BASE_URL": "http://[", "ANTHROPIC_AUTH_TOKEN": "none", "ANTHROPIC_API_KEY": ""}
    }


def test_answers_to_others_are_not_its_own() -> None:
    rehearsal = Rehearsal(lambda _: None, Clock())
    rehearsal.begin()
    assert not rehearsal.takes("gw1")
    assert rehearsal.is_on


def test_it_is_stuck_when_no_answer_came_in_time() -> None:
    clock = Clock()
    rehearsal = Rehearsal(lambda _: None, clock)
    clock.now += 2 * REHEARSAL_SECONDS
    assert not rehearsal.is_stuck  # it never began
    rehearsal.begin()
    clock.now += REHEARSAL_SECONDS
    assert not rehearsal.is_stuck
    clock.now += 1
    assert rehearsal.is_stuck
    rehearsal.takes("rehearsal-question")
    assert not rehearsal.is_stuck
