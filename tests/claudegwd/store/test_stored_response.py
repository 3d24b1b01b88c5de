import msgspec

from claudegwd.store.responses import KeptResponse
from claudegwd.store.stored_response import StoredResponse

KEPT = KeptResponse("resp_1", None, b"{}", b"[]", ("i", "o"))


def test_what_is_written_is_read() -> None:
    written = msgspec.msgpack.encode(StoredResponse.of("ann", KEPT, 5.0))
    read = msgspec.msgpack.decode(written, type=StoredResponse)
    assert (read.owner, read.kept(), read.made) == ("ann", KEPT, 5.0)


def test_older_and_newer_forms_are_read() -> None:
    fields = ["ann", "resp_1", None, b"{}", b"[]", ["i", "o"]]
    for form in (fields, [*fields, 5.0, "newer"]):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(form), type=StoredResponse).kept() == KEPT
