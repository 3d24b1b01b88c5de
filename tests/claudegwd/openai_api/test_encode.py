"""Whatever a text holds, it can be written and read back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.messages import ToolCall

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_utf8_where_it_can_be_and_escapes_where_it_must() -> None:
    assert encode({"a": "é\N{GRINNING FACE}"}) == '{"a":"é\N{GRINNING FACE}"}'.encode()
    assert encode({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'
    assert encode([ToolCall("\ud83d", "f")]) == b'[{"id":"\\ud83d","name":"f","arguments":"{}"}]'


@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_any_text_comes_back_on_one_line(value: dict[str, str]) -> None:
    written = encode(value)
    assert b"\n" not in written
    assert b"\r" not in written
    # Two halves side by side are read as the one character that they make.
    joined = {k.encode("utf-16", "surrogatepass"): v.encode("utf-16", "surrogatepass") for k, v in value.items()}
    read = json.loads(written)
    assert {k.encode("utf-16", "surrogatepass"): v.encode("utf-16", "surrogatepass") for k, v in read.items()} == joined
