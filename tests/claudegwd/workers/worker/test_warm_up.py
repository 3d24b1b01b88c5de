"""A spare's warm-up: what is written while it lasts waits for its end."""

import json

from claudegwd.workers.worker.warm_up import WARM_UP_SECONDS, WarmUp


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_written_meanwhile_waits_and_keeps_its_order() -> None:
    written: list[bytes] = []
    warm_up = WarmUp(written.append, Clock())
    warm_up.send(b"before\n")
    warm_up.begin()
    asked = written[-1]
    warm_up.send(b"first\n")
    warm_up.send(b"second\n")
    assert written == [b"before\n", asked]
    settings, question = (json.loads(line) for line in asked.splitlines())
    assert warm_up.takes(settings["request_id"])
    assert warm_up.is_on
    assert warm_up.takes(question["request_id"])
    assert not warm_up.is_on
    warm_up.send(b"third\n")
    assert b"".join(written) == b"before\n" + asked + b"first\nsecond\nthird\n"


def test_it_reaches_nobody_and_names_all_credentials() -> None:
    written: list[bytes] = []
    warm_up = WarmUp(written.append, Clock())
    warm_up.begin()
    settings = json.loads(written[0].splitlines()[0])["request"]["settings"]
    assert settings == {
        "env": {"ANTHROPIC_BASE_URL": "http://[", "ANTHROPIC_AUTH_TOKEN": "none", "ANTHROPIC_API_KEY": ""}
    }


def test_answers_to_others_are_not_its_own() -> None:
    warm_up = WarmUp(lambda _: None, Clock())
    warm_up.begin()
    assert not warm_up.takes("gw1")
    assert warm_up.is_on


def test_it_is_stuck_when_no_answer_came_in_time() -> None:
    clock = Clock()
    warm_up = WarmUp(lambda _: None, clock)
    clock.now += 2 * WARM_UP_SECONDS
    assert not warm_up.is_stuck  # it never began
    warm_up.begin()
    clock.now += WARM_UP_SECONDS
    assert not warm_up.is_stuck
    clock.now += 1
    assert warm_up.is_stuck
    warm_up.takes("warm-up-question")
    assert not warm_up.is_stuck
