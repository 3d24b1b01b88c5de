"""Events as the official client's decoder cuts them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import Overloaded
from claudegwd.openai_api.sse import DONE, KEEP_ALIVE, error_event, event
from tests.openai_client import stream_data


@given(st.lists(st.text()), st.integers(1, 20))
def test_any_cut_of_the_bytes_gives_the_same_events(texts: list[str], size: int) -> None:
    whole = KEEP_ALIVE + b"".join(event(encode(text)) + KEEP_ALIVE for text in texts) + DONE
    *events, done = stream_data(whole[start : start + size] for start in range(0, len(whole), size))
    assert [json.loads(data) for data in events] == texts
    assert done == "[DONE]"


def test_an_error_is_one_event() -> None:
    (data,) = stream_data([error_event(Overloaded("cannot take more: try again"))])
    assert json.loads(data)["error"]["code"] == "overloaded"
