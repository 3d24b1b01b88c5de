import msgspec

from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.written_settings import WrittenSettings


def test_settings_go_with_the_question_where_they_differ_and_after_a_retry_block() -> None:
    written: list[bytes] = []
    settings = WrittenSettings(PendingCommands(written.append))
    settings.put({"model": "a"}, "first")
    assert not written
    first = settings.take()
    assert settings.are_answered_by(msgspec.json.decode(first)["request_id"])
    settings.put({"model": "a"}, "second")
    assert (settings.take(), settings.key) == (b"", "second")
    settings.write_retry_block()
    assert not settings.are_answered_by(msgspec.json.decode(written[0])["request_id"])
    settings.put({"model": "a"}, "second")
    assert b'"model":"a"' in settings.take()


def test_settings_of_a_question_that_was_not_asked_are_written_with_the_next() -> None:
    settings = WrittenSettings(PendingCommands(lambda _: None))
    settings.put({"model": "a"}, "first")
    settings.put({"model": "b"}, "first")
    assert [msgspec.json.decode(line)["request"]["settings"] for line in settings.take().splitlines()] == [
        {"model": "a"},
        {"model": "b"},
    ]
