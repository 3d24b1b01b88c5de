"""Streams read back by the official client's own parser: what it makes of our bytes is what counts."""

import json
from collections.abc import Iterable
from typing import Any

from openai import omit
from openai._streaming import SSEDecoder
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ParsedResponse, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.openai_description import validator

_EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def stream_data(pieces: Iterable[bytes]) -> list[str]:
    """The data of each event, as the client's decoder cuts them."""
    return [event.data for event in SSEDecoder().iter_bytes(iter(pieces))]


def read_chunks(pieces: Iterable[bytes]) -> list[ChatCompletionChunk]:
    """The chunks of a stream that must end in [DONE] and hold no error."""
    *chunks, done = stream_data(pieces)
    assert done == "[DONE]"
    return [ChatCompletionChunk.model_validate_json(chunk, strict=True) for chunk in chunks]


def accumulated(pieces: Iterable[bytes]) -> ChatCompletion:
    """What the client's accumulator makes of a stream, before its last step, which raises where the answer was cut."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in read_chunks(pieces):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


def described(schema_name: str, body: bytes | str) -> Any:
    """The body, decoded, once OpenAI's description has been satisfied."""
    value = json.loads(body)
    validator(schema_name).validate(value)
    return value


def read_events(pieces: Iterable[bytes]) -> list[dict[str, Any]]:
    """The events of a Responses stream, each named after its type and numbered, and read by the client's own types."""
    found = []
    for number, event in enumerate(SSEDecoder().iter_bytes(iter(pieces))):
        data = json.loads(event.data)
        assert (event.event, data["sequence_number"]) == (data["type"], number)
        _EVENTS.validate_json(event.data)
        found.append(data)
    return found


def final_response(pieces: Iterable[bytes]) -> ParsedResponse[None]:
    """What the client's accumulator makes of a Responses stream that was completed."""
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in read_events(pieces):
        state.handle_event(_EVENTS.validate_python(event))
    assert state._completed_response is not None
    return state._completed_response
