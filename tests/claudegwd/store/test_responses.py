import json
from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import BodyTooLarge
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import TextPart
from claudegwd.openai_api.responses.input import PREVIOUS, read_items
from claudegwd.store.read_conversations import ReadConversation
from claudegwd.store.responses import (
    ITEM_OVERHEAD_BYTES,
    OVERHEAD_BYTES,
    KeptResponse,
    KeptResponses,
)
from claudegwd.store.sealing import Seal

ROOM = 10**6
SEAL = Seal(b"k" * 32)

KEEP_SECONDS = 86_400.0  # where nothing else is said


def kept(number: int, previous: int | None = None, *, text: str = "") -> KeptResponse:
    def message(name: str) -> dict[str, Any]:
        role = "user" if name == "in" else "assistant"
        return {"id": f"{name}_{number}", "type": "message", "role": role, "content": text}

    body = json.dumps({"id": f"resp_{number}", "output": [message("out")]}).encode()
    return KeptResponse(
        f"resp_{number}",
        f"resp_{previous}" if previous else None,
        body,
        json.dumps([message("in")]).encode(),
        (f"in_{number}", f"out_{number}"),
    )


def ids(store: KeptResponses, owner: str, ident: str, now: float = 0) -> list[str] | None:
    history = store.of(owner, now, ROOM, SEAL).conversation(ident, Bounds())
    return None if history is None else [one.item.get("id") for one in history.placed if one.item is not None]


def test_a_conversation_is_all_its_rounds() -> None:
    store = KeptResponses()
    store.keep("a", kept(1), 0)
    store.keep("a", kept(2, 1), 0)
    assert ids(store, "a", "resp_1") == ["in_1", "out_1"]
    assert ids(store, "a", "resp_2") == ["in_1", "out_1", "in_2", "out_2"]
    assert ids(store, "a", "resp_3") is None


def test_nobody_reaches_what_is_anothers() -> None:
    store = KeptResponses()
    store.keep("a", kept(1), 0)
    assert store.get("b", "resp_1", 0) is None
    assert not store.delete("b", "resp_1")
    assert store.of("b", 0, ROOM, SEAL).conversation("resp_1", Bounds()) is None
    assert store.of("b", 0, ROOM, SEAL).item("in_1") is None
    assert store.of("a", 0, ROOM, SEAL).item("in_1") is not None


def test_what_is_deleted_is_gone_with_its_items_and_what_went_on_from_it_ends() -> None:
    store = KeptResponses()
    store.keep("a", kept(1), 0)
    store.keep("a", kept(2, 1), 0)
    assert store.delete("a", "resp_1")
    assert not store.delete("a", "resp_1")
    assert store.of("a", 0, ROOM, SEAL).item("out_1") is None
    assert ids(store, "a", "resp_2") is None
    assert store.get("a", "resp_2", 0) is not None
    assert store.delete("a", "resp_2")
    assert store.size == 0


def test_it_is_bounded_and_who_holds_most_gives_way() -> None:
    one = kept(1).size
    store = KeptResponses(max_bytes=4 * one)
    store.keep("small", kept(1), 0)
    for number in (2, 3, 4):
        store.keep("large", kept(number), 0)
    assert store.get("large", "resp_2", 0) is not None  # the last used now
    store.keep("large", kept(5), 0)
    assert store.size <= 4 * one
    assert store.get("small", "resp_1", 0) is not None
    assert store.get("large", "resp_3", 0) is None
    assert store.get("large", "resp_2", 0) is not None


def test_one_that_is_too_large_is_not_kept() -> None:
    store = KeptResponses(max_bytes=OVERHEAD_BYTES + 2 * ITEM_OVERHEAD_BYTES + 200)
    store.keep("a", kept(1, text="x" * 300), 0)
    assert (store.get("a", "resp_1", 0), store.size) == (None, 0)


def test_what_is_not_used_is_forgotten() -> None:
    store = KeptResponses()
    store.keep("a", kept(1), 0)
    store.keep("a", kept(2), 0)
    assert store.get("a", "resp_1", KEEP_SECONDS) is not None
    assert store.get("a", "resp_1", KEEP_SECONDS + 1) is not None
    assert store.get("a", "resp_2", KEEP_SECONDS + 1) is None
    store.keep("b", kept(3), 3 * KEEP_SECONDS)
    assert store.size == kept(3).size


def test_half_of_a_surrogate_pair_is_kept_as_it_came() -> None:
    store = KeptResponses()
    store.keep("a", KeptResponse("resp_1", None, b'{"output":[{"id":"o","t":"\\ud83d"}]}', b"[]", ("o",)), 0)
    assert store.of("a", 0, ROOM, SEAL).item("o") == {"id": "o", "t": "\ud83d"}


def test_no_request_goes_on_from_more_than_it_may_hold() -> None:
    store = KeptResponses()
    store.keep("a", kept(1, text="x" * 300), 0)
    store.keep("a", kept(2, 1, text="x" * 300), 0)
    with pytest.raises(BodyTooLarge):
        store.of("a", 0, 1000, SEAL).conversation("resp_2", Bounds())
    assert store.of("a", 0, 1000, SEAL).conversation("resp_1", Bounds()) is not None
    named = store.of("a", 0, 1000, SEAL)
    assert named.item("in_1") == named.item("in_1")
    with pytest.raises(BodyTooLarge):
        named.item("in_1")


def test_what_was_sealed_for_one_is_nothing_to_another() -> None:
    sealed = SEAL.seal("a", "the sum")
    assert KeptResponses().of("a", 0, ROOM, SEAL).unsealed(sealed) == "the sum"
    assert KeptResponses().of("b", 0, ROOM, SEAL).unsealed(sealed) is None


def test_of_what_was_read_before_only_the_answer_is_read() -> None:
    store = KeptResponses()
    store.keep("a", kept(1, text="x"), 0)
    first = store.of("a", 0, ROOM, SEAL).conversation("resp_1", Bounds())
    assert first is not None
    asked = read_items([Fields(kept(2).input()[0] | {"content": "as asked"}, "input[0]")], Bounds(), {}.get, first)
    size = first.kept_bytes + kept(2, text="y").size
    store.keep("a", kept(2, 1, text="y"), 0, ReadConversation(asked.as_earlier(), None, size))
    again = store.of("a", 0, ROOM, SEAL).conversation("resp_2", Bounds())
    assert again is not None
    assert [one.message.content for one in again.placed] == [(TextPart(text),) for text in ("x", "x", "as asked", "y")]
    assert again.placed[0] is first.placed[0]
    assert {one.path for one in again.placed} == {PREVIOUS}
    assert again.items == 4
    assert again.kept_bytes == sum(len(one.body) + len(one.items) for one in (kept(1, text="x"), kept(2, 1, text="y")))
    # Whoever may hold no more, or has lost a part of it, does not go on from what was read either.
    with pytest.raises(BodyTooLarge):
        store.of("a", 0, first.kept_bytes, SEAL).conversation("resp_2", Bounds())
    store.delete("a", "resp_1")
    assert store.of("a", 0, ROOM, SEAL).conversation("resp_2", Bounds()) is None
    store.delete("a", "resp_2")
    assert store.read.size == 0
