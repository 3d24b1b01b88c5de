import msgspec

from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.written_settings import WrittenSettings


def test_settings_are_written_when_they_differ_and_after_a_retry_block() -> None:
    written: list[bytes] = []
    settings = WrittenSettings(PendingCommands(written.append))
    settings.write({"model": "a"}, "first")
    settings.write({"model": "a"}, "second")
    assert (len(written), settings.key) == (1, "second")
    assert settings.are_answered_by(msgspec.json.decode(written[0])["request_id"])
    settings.write_retry_block()
    assert not settings.are_answered_by(msgspec.json.decode(written[1])["request_id"])
    settings.write({"model": "a"}, "second")
    assert len(written) == 3
