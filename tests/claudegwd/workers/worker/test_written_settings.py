import msgspec
import pytest

from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import blocking
from claudegwd.workers.worker.written_settings import WrittenSettings

ADDRESS = "ANTHROPIC_BASE_URL"


def test_settings_go_with_the_question_where_they_differ_and_after_a_block() -> None:
    written: list[bytes] = []
    settings = WrittenSettings(PendingCommands(written.append), ADDRESS)
    settings.put({"model": "a"}, "first")
    assert not written
    first = settings.take()
    assert settings.are_answered_by(msgspec.json.decode(first)["request_id"])
    settings.put({"model": "a"}, "second")
    assert (settings.take(), settings.key) == (b"", "second")
    settings.block()
    assert not settings.are_answered_by(msgspec.json.decode(written[0])["request_id"])
    settings.put({"model": "a"}, "second")
    assert b'"model":"a"' in settings.take()


@pytest.mark.parametrize("variable", [ADDRESS, "ANTHROPIC_VERTEX_BASE_URL"])
def test_a_block_is_lifted_once_and_by_the_address_that_was_written(variable: str) -> None:
    written: list[bytes] = []
    settings = WrittenSettings(PendingCommands(written.append), variable)
    address = {variable: "http://upstream.invalid"}
    settings.put({"model": "a", "env": {"SOME": "1", **address}}, "first")
    question = settings.take()
    settings.unblock()
    assert not written
    settings.block()
    settings.unblock()
    settings.unblock()
    assert [msgspec.json.decode(line)["request"]["settings"] for line in written] == [
        blocking(variable),
        {"env": address},
    ]
    assert settings.are_answered_by(msgspec.json.decode(question)["request_id"])
    settings.put({"model": "a", "env": {"SOME": "1", **address}}, "first")
    assert settings.take() == b""


def test_a_block_over_settings_that_are_forgotten_is_lifted_by_the_next() -> None:
    written: list[bytes] = []
    settings = WrittenSettings(PendingCommands(written.append), ADDRESS)
    settings.block()
    settings.unblock()
    assert len(written) == 1
    settings.put({"model": "a"}, "first")
    assert b'"model":"a"' in settings.take()


def test_settings_of_a_question_that_was_not_asked_are_written_with_the_next() -> None:
    settings = WrittenSettings(PendingCommands(lambda _: None), ADDRESS)
    settings.put({"model": "a"}, "first")
    settings.put({"model": "b"}, "first")
    assert [msgspec.json.decode(line)["request"]["settings"] for line in settings.take().splitlines()] == [
        {"model": "a"},
        {"model": "b"},
    ]
