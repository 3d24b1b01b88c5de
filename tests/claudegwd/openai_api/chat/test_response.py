"""Bodies and chunks, read back by the official client and held against OpenAI's description."""

import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from claudegwd.openai_api.chat.response import (
    DONE,
    KEEP_ALIVE,
    ChatChoice,
    ChatStream,
    Citation,
    Usage,
    completion_body,
)
from claudegwd.openai_api.errors import UpstreamUnavailable
from claudegwd.openai_api.messages import ToolCall
from tests.openai_client import accumulated, described, read_chunks, stream_data

USAGE = Usage(prompt_tokens=11, completion_tokens=7, cached_tokens=3, reasoning_tokens=2)
CALLS = (ToolCall("call_1", "read_file", '{"path": "a"}'), ToolCall("call_2", "list-files"))
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def raw(text: str) -> bytes:
    return json.dumps(text).encode()


def stream(*, include_usage: bool = False, legacy_functions: bool = False) -> ChatStream:
    return ChatStream("chatcmpl-1", 1_700_000_000, "sonnet", include_usage, legacy_functions=legacy_functions)


def everything(chat: ChatStream) -> Iterator[bytes]:
    """Two choices: thinking, text and two calls; a refusal."""
    yield KEEP_ALIVE
    yield chat.role(0)
    yield chat.role(1)
    for piece in ("Let me", " think"):
        yield chat.reasoning(0, raw(piece))
    yield KEEP_ALIVE
    for piece in ("Héllo", " \N{GRINNING FACE}", "\n\x00\u2028\r\n"):
        yield chat.text(0, raw(piece))
    yield chat.refusal(1, raw("I will"))
    yield chat.refusal(1, raw(" not."))
    yield chat.tool_start(0, 0, "call_1", "read_file")
    for piece in ('{"pa', 'th": ', '"a"}'):
        yield chat.tool_arguments(0, 0, raw(piece))
    yield chat.tool_start(0, 1, "call_2", "list-files")
    yield chat.tool_arguments(0, 1, raw("{}"))
    yield chat.finish(0, "tool_calls")
    yield chat.finish(1, "content_filter")
    if chat.include_usage:
        yield chat.usage(USAGE)
    yield DONE


WHOLE = (
    ChatChoice(
        index=0,
        content="Héllo \N{GRINNING FACE}\n\x00\u2028\r\n",
        reasoning_content="Let me think",
        tool_calls=CALLS,
        finish_reason="tool_calls",
    ),
    ChatChoice(index=1, refusal="I will not.", finish_reason="content_filter"),
)


def whole_body(*, legacy_functions: bool = False) -> bytes:
    return completion_body(
        "chatcmpl-1", 1_700_000_000, "sonnet", WHOLE, USAGE, {"session_id": "s"}, legacy_functions=legacy_functions
    )


def test_the_official_client_reads_a_body() -> None:
    completion = ChatCompletion.model_validate_json(whole_body(), strict=True)
    assert (completion.id, completion.created, completion.model) == ("chatcmpl-1", 1_700_000_000, "sonnet")
    first, second = completion.choices
    assert first.message.content == WHOLE[0].content
    assert first.finish_reason == "tool_calls"
    assert [(call.id, call.type) for call in first.message.tool_calls or ()] == [
        ("call_1", "function"),
        ("call_2", "function"),
    ]
    assert second.message.refusal == "I will not."
    assert completion.usage is not None
    assert completion.usage.total_tokens == 18
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 3


def test_every_key_of_a_body_is_there_even_when_null() -> None:
    body = json.loads(whole_body())
    assert body["session_id"] == "s"
    first, second = body["choices"]
    assert set(first) == {"index", "message", "logprobs", "finish_reason"}
    assert first["message"]["refusal"] is None
    assert first["message"]["reasoning_content"] == "Let me think"
    assert first["message"]["tool_calls"][1]["function"] == {"name": "list-files", "arguments": "{}"}
    assert second["message"] == {"role": "assistant", "content": None, "refusal": "I will not."}


@pytest.mark.parametrize("legacy_functions", [False, True])
def test_the_description_is_satisfied_by_a_body(legacy_functions: bool) -> None:
    described("CreateChatCompletionResponse", whole_body(legacy_functions=legacy_functions))


@pytest.mark.parametrize("include_usage", [False, True])
@pytest.mark.parametrize("legacy_functions", [False, True])
def test_the_description_is_satisfied_by_every_chunk(include_usage: bool, legacy_functions: bool) -> None:
    *chunks, _ = stream_data(everything(stream(include_usage=include_usage, legacy_functions=legacy_functions)))
    for chunk in chunks:
        described("CreateChatCompletionStreamResponse", chunk)


def test_the_clients_accumulator_makes_the_body_out_of_the_stream() -> None:
    whole = ChatCompletion.model_validate_json(whole_body())
    streamed = accumulated(everything(stream(include_usage=True)))
    assert streamed.usage == whole.usage
    for one, other in zip(streamed.choices, whole.choices, strict=True):
        assert (one.index, one.finish_reason) == (other.index, other.finish_reason)
        # The first chunk's empty content is the one difference: "" where a body has null.
        assert (one.message.content or None) == other.message.content
        assert one.message.refusal == other.message.refusal
        assert [c.id for c in one.message.tool_calls or ()] == [c.id for c in other.message.tool_calls or ()]
    calls = [call for call in streamed.choices[0].message.tool_calls or () if call.type == "function"]
    assert [call.function.arguments for call in calls] == [call.arguments for call in CALLS]


def test_the_clients_accumulator_takes_several_citations_of_several_choices() -> None:
    cited = [Citation(0, 2, "https://a.example/1", "One"), Citation(2, 4, "https://a.example/2", "Two")]
    chat = stream()
    written = [chat.role(0), chat.role(1)]
    for citation in cited:
        for index in (0, 1):
            written += [chat.text(index, raw("It")), chat.citation(index, citation)]
    written += [chat.finish(0, "stop"), chat.finish(1, "stop"), DONE]
    expected = [citation.shape() for citation in cited]
    for choice in accumulated(written).choices:
        assert [one.to_dict() for one in choice.message.annotations or ()] == expected


def test_all_chunks_name_the_same_answer() -> None:
    chunks = read_chunks(everything(stream()))
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks} == {
        ("chatcmpl-1", 1_700_000_000, "sonnet", "chat.completion.chunk")
    }


def test_a_choice_begins_with_its_role_and_ends_with_its_reason() -> None:
    for index in (0, 1):
        choices = [c for chunk in read_chunks(everything(stream())) for c in chunk.choices if c.index == index]
        assert choices[0].delta.role == "assistant"
        assert choices[0].delta.content == ""
        assert all(choice.delta.role is None for choice in choices[1:])
        assert all(choice.finish_reason is None for choice in choices[:-1])
        assert choices[-1].finish_reason
        assert choices[-1].delta.model_dump(exclude_unset=True) == {}


def test_usage_comes_once_last_and_only_where_asked_for() -> None:
    *chunks, last, done = stream_data(everything(stream(include_usage=True)))
    assert done == "[DONE]"
    assert all(json.loads(chunk)["usage"] is None for chunk in chunks)
    assert json.loads(last)["choices"] == []
    assert json.loads(last)["usage"] == USAGE.shape()
    *chunks, done = stream_data(everything(stream()))
    assert all("usage" not in json.loads(chunk) for chunk in chunks)
    assert all(json.loads(chunk)["choices"] for chunk in chunks)


def test_the_id_and_name_of_a_call_are_said_once() -> None:
    deltas = [chunk.choices[0].delta.tool_calls for chunk in read_chunks(everything(stream()))]
    first, *rest = [delta[0] for delta in deltas if delta and delta[0].index == 0]
    assert first.model_dump(exclude_unset=True) == {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "read_file", "arguments": ""},
    }
    assert all(set(piece.model_dump(exclude_unset=True)) == {"index", "function"} for piece in rest)


def test_legacy_functions_are_answered_as_such() -> None:
    deltas = [chunk.choices[0].delta.function_call for chunk in read_chunks(everything(stream(legacy_functions=True)))]
    pieces = [delta for delta in deltas if delta]
    assert [piece.name for piece in pieces if piece.name] == ["read_file"]  # a second call has no place
    assert "".join(piece.arguments or "" for piece in pieces) == '{"path": "a"}'
    assert json.loads(whole_body(legacy_functions=True))["choices"][0]["finish_reason"] == "function_call"
    message = json.loads(whole_body(legacy_functions=True))["choices"][0]["message"]
    assert message["function_call"] == {"name": "read_file", "arguments": '{"path": "a"}'}
    assert "tool_calls" not in message


def test_an_error_in_mid_stream_is_the_envelope() -> None:
    chat = stream()
    pieces = [chat.role(0), chat.text(0, b'"Hel"'), chat.error(UpstreamUnavailable("cannot go on: ask again")), DONE]
    *_, error, done = stream_data(pieces)
    assert done == "[DONE]"
    assert json.loads(error)["error"]["code"] == "upstream_unavailable"


def test_an_empty_answer_is_a_whole_stream() -> None:
    chat = stream()
    completion = accumulated([chat.role(0), chat.finish(0, "stop"), DONE])
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content == ""


def test_a_piece_goes_out_exactly_as_it_came_in() -> None:
    chat = stream()
    for literal in (b'"Hel\\u006co"', b'"\\ud83d"', b'"\\/\\\\"', '"é"'.encode()):
        assert b'"content":' + literal + b"}" in chat.text(0, literal)
        assert chat.text(0, msgspec.Raw(literal)) == chat.text(0, literal)
        assert chat.reasoning(0, msgspec.Raw(literal)) == chat.reasoning(0, literal)
        assert chat.tool_arguments(0, 0, msgspec.Raw(literal)) == chat.tool_arguments(0, 0, literal)
        assert chat.refusal(0, msgspec.Raw(literal)) == chat.refusal(0, literal)


@given(st.lists(ANY_TEXT), ANY_TEXT, st.booleans())
def test_any_text_comes_back(pieces: list[str], model: str, ascii_only: bool) -> None:
    chat = ChatStream("chatcmpl-1", 1, model, include_usage=True)
    # As JSON.stringify of the CLI writes it, and as other writers may: halves of pairs only ever as escapes.
    literals = [
        json.dumps(piece, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        if ascii_only or piece.isascii()
        else raw(piece)
        for piece in pieces
    ]
    *events, _ = stream_data([chat.text(3, literal) for literal in literals] + [DONE])
    chunks = [json.loads(event) for event in events]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == pieces
    assert all(chunk["model"] == model for chunk in chunks)
    body = json.loads(completion_body("i", 1, model, [ChatChoice(index=0, content="".join(pieces))], USAGE))
    assert body["choices"][0]["message"]["content"].encode("utf-16", "surrogatepass") == "".join(pieces).encode(
        "utf-16", "surrogatepass"
    )


@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT))
def test_any_call_comes_back(ident: str, name: str, pieces: list[str]) -> None:
    chat = stream()
    events = [chat.tool_start(0, 4, ident, name), *(chat.tool_arguments(0, 4, raw(piece)) for piece in pieces)]
    first, *rest = [json.loads(data)["choices"][0]["delta"]["tool_calls"][0] for data in stream_data(events)]
    assert (first["id"], first["function"]["name"]) == (ident, name)
    assert [piece["function"]["arguments"] for piece in rest] == pieces
