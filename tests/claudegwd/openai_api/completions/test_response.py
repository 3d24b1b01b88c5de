"""Text completions read back by the official client."""

import json

import msgspec
import pytest
from openai.types import Completion

from claudegwd.openai_api.completions.response import (
    DONE,
    KEEP_ALIVE,
    CompletionStream,
    TextChoice,
    text_completion_body,
)
from claudegwd.openai_api.errors import UpstreamTimeout
from claudegwd.openai_api.usage import Usage
from tests.openai_client import described, stream_data

USAGE = Usage(3, 4)


def pieces(*, include_usage: bool) -> list[bytes]:
    stream = CompletionStream("cmpl-1", 1_700_000_000, "sonnet", include_usage)
    events = [
        KEEP_ALIVE,
        stream.text(0, b'"def "'),
        stream.text(1, msgspec.Raw(b'"x"')),
        stream.text(0, b'"f\\u0028"'),
        stream.finish(0, "stop"),
        stream.finish(1, "length"),
    ]
    return [*events, *([stream.usage(USAGE)] if include_usage else []), DONE]


BODY = text_completion_body(
    "cmpl-1",
    1_700_000_000,
    "sonnet",
    [TextChoice(index=0, text="def f("), TextChoice(index=1, text="x", finish_reason="length")],
    USAGE,
)


def test_the_official_client_reads_a_body() -> None:
    completion = Completion.model_validate_json(BODY, strict=True)
    assert [(choice.text, choice.finish_reason) for choice in completion.choices] == [
        ("def f(", "stop"),
        ("x", "length"),
    ]
    assert completion.usage is not None
    assert completion.usage.total_tokens == 7


def test_the_description_is_satisfied_by_a_body() -> None:
    described("CreateCompletionResponse", BODY)


@pytest.mark.parametrize("include_usage", [False, True])
def test_the_pieces_of_a_stream_make_the_body(include_usage: bool) -> None:
    *events, done = stream_data(pieces(include_usage=include_usage))
    assert done == "[DONE]"
    # The client does not validate what it streams, as the description of a chunk is that of a body: no null reason.
    chunks = [Completion.construct(**json.loads(event)) for event in events]
    if include_usage:
        last = chunks.pop()
        assert last.choices == []
        assert last.usage is not None
    assert all(chunk.object == "text_completion" and chunk.id == "cmpl-1" for chunk in chunks)
    for whole in Completion.model_validate_json(BODY).choices:
        mine = [json.loads(event)["choices"][0] for event in events if f'"index":{whole.index},' in event]
        assert "".join(choice["text"] for choice in mine) == whole.text
        assert [choice["finish_reason"] for choice in mine] == [None] * (len(mine) - 1) + [whole.finish_reason]
        assert all(choice["logprobs"] is None for choice in mine)


def test_an_error_in_mid_stream_is_the_envelope() -> None:
    stream = CompletionStream("cmpl-1", 1, "sonnet")
    error, done = stream_data([stream.error(UpstreamTimeout("cannot wait longer: ask again")), DONE])
    assert json.loads(error)["error"]["code"] == "upstream_timeout"
    assert done == "[DONE]"
