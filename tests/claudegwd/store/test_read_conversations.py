from claudegwd.openai_api.responses.input import History
from claudegwd.store.read_conversations import ReadConversation, ReadConversations


def of_size(size: int) -> ReadConversation:
    return ReadConversation(History(), None, size)


def test_one_that_goes_on_takes_the_place_of_the_last() -> None:
    read = ReadConversations()
    read.note("resp_1", None, of_size(10))
    read.note("resp_2", "resp_1", of_size(30))
    assert read.get("resp_1") is None
    assert read.get("resp_2") == of_size(30)
    assert read.size == 30


def test_it_is_bounded_and_the_oldest_go() -> None:
    read = ReadConversations(max_bytes=100)
    for number in range(4):
        read.note(f"resp_{number}", None, of_size(40))
    assert [number for number in range(4) if read.get(f"resp_{number}") is not None] == [2, 3]
    read.note("large", None, of_size(101))
    assert (read.get("large"), read.size) == (None, 0)
