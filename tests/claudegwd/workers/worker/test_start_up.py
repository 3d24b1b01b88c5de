from typing import Any

import msgspec
import pytest

from claudegwd.claude_cli import events as e
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.start_up import StartUp
from claudegwd.workers.worker.warm_up import WarmUp


class Start:
    def __init__(self, *, warms_up: bool = False) -> None:
        self.written: list[dict[str, Any]] = []
        warm_up = WarmUp(self._take, lambda: 0.0)
        self.start_up = StartUp(PendingCommands(warm_up.send), warm_up, warms_up=warms_up)

    def _take(self, data: bytes) -> None:
        self.written += [msgspec.json.decode(line) for line in data.splitlines()]

    def answer(self, response: object) -> e.CliResponseBody:
        ident = self.written[-1]["request_id"]
        return e.CliResponseBody(
            subtype="success", request_id=ident, response=msgspec.Raw(msgspec.json.encode(response))
        )


def test_the_first_word_is_known_by_its_question() -> None:
    start = Start()
    start.start_up.begin()
    assert start.start_up.is_first_word(start.answer({}))
    start.start_up.initialize("", ())
    assert not start.start_up.is_first_word(start.answer({}))


@pytest.mark.parametrize(
    ("warms_up", "taken", "begun", "written"),
    [(True, False, True, 2), (True, True, False, 0), (False, False, False, 1), (False, True, False, 0)],
)
def test_only_a_spare_is_made_warm_and_by_one_of_two_ways(
    warms_up: bool, taken: bool, begun: bool, written: int
) -> None:
    start = Start(warms_up=warms_up)
    assert start.start_up.warms(taken=taken) is begun
    assert len(start.written) == written
    assert start.start_up.warm_up.is_on is begun


def test_the_catalogue_is_kept_if_it_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    start = Start()
    start.start_up.initialize("Be brief.", ())
    start.start_up.take(start.answer({"models": 3}), 1)
    assert start.start_up.initialized is None
    assert "catalogue cannot be read" in caplog.text
    start.start_up.take(start.answer({"models": []}), 1)
    assert start.start_up.initialized is not None
