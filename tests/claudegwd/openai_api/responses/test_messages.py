import json
from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, RateLimitExceeded
from claudegwd.openai_api.responses.messages import (
    Create,
    error_message,
    event_messages,
    read_create,
    read_message,
    read_steer,
    steer_failed_message,
)


def read(**fields: Any) -> Create:
    return read_create(read_message(json.dumps({"type": "response.create", **fields}), Bounds()), Bounds())


def test_a_request_is_its_fields_without_the_envelope_and_is_streamed() -> None:
    found = read(model="m", stream_id="s", stream=False, background=False, generate=True)
    assert (found.fields, found.stream_id, found.generate) == ({"model": "m", "stream": True}, "s", True)
    assert found.size == len(
        b'{"type": "response.create", "model": "m", "stream_id": "s", "stream": false, "background": false, '
        b'"generate": true}'
    )
    assert not read(generate=False).generate
    assert read(generate=None).generate


@pytest.mark.parametrize(
    ("text", "param"),
    [
        (None, None),
        ("{", None),
        ("5", None),
        ("{}", "type"),
        ('{"type": "response.dream"}', "type"),
        ('{"type": "response.create", "stream_id": 5}', "stream_id"),
        ('{"type": "response.create", "stream": 5}', "stream"),
        ('{"type": "response.create", "background": true}', "background"),
        ('{"type": "response.create", "generate": "no"}', "generate"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(text: str | None, param: str | None) -> None:
    with pytest.raises(CallerError) as caught:
        read_create(read_message(text, Bounds()), Bounds())
    assert caught.value.param == param


def test_what_would_steer_a_response_goes_back_to_its_client() -> None:
    given = {"type": "response.steer", "previous_response_id": "resp_1", "input": [{"role": "user", "content": "b"}]}
    steer = read_steer(read_message(json.dumps(given), Bounds()), Bounds())
    assert steer is not None
    told = json.loads(steer_failed_message(steer, "s"))
    assert told["steer"] == {"previous_response_id": "resp_1", "input": given["input"]}
    assert (told["type"], told["stream_id"], told["sequence_number"]) == ("response.steer.failed", "s", 0)
    assert (told["error"]["type"], told["error"]["code"]) == ("invalid_request_error", "steering_not_supported")
    assert "stream_id" not in json.loads(steer_failed_message(steer, None))
    assert read_steer(read_message('{"type": "response.create"}', Bounds()), Bounds()) is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "a"}, "previous_response_id"),
        ({"previous_response_id": 5, "input": "a"}, "previous_response_id"),
        ({"previous_response_id": "r"}, "input"),
        ({"previous_response_id": "r", "input": {}}, "input"),
        ({"previous_response_id": "r", "input": json.loads("[" * 500 + "]" * 500)}, "input"),
    ],
)
def test_what_steers_nothing_is_refused_with_its_path(fields: dict[str, Any], param: str) -> None:
    message = read_message(json.dumps({"type": "response.steer", **fields}), Bounds())
    with pytest.raises(CallerError) as caught:
        read_steer(message, Bounds())
    assert caught.value.param is not None
    assert caught.value.param.startswith(param)


def test_each_event_is_a_message_that_may_name_its_stream() -> None:
    written = b'event: a\ndata: {"type":"a"}\n\n: keep-alive\n\nevent: b\ndata: {"type":"b"}\n\n'
    assert list(event_messages(written, None)) == [b'{"type":"a"}', b'{"type":"b"}']
    assert [json.loads(message) for message in event_messages(written, 's"')] == [
        {"type": "a", "stream_id": 's"'},
        {"type": "b", "stream_id": 's"'},
    ]


def test_what_headers_of_an_answer_say_is_in_the_first_event() -> None:
    written = b': keep-alive\n\nevent: a\ndata: {"type":"a"}\n\nevent: b\ndata: {"type":"b"}\n\n'
    assert [json.loads(message) for message in event_messages(written, "s", {"x-claudegw-ignored": "user"})] == [
        {"type": "a", "headers": {"x-claudegw-ignored": "user"}, "stream_id": "s"},
        {"type": "b", "stream_id": "s"},
    ]


def test_a_refusal_says_what_an_answer_of_http_would() -> None:
    told = json.loads(error_message(RateLimitExceeded("cannot", retry_after=2), "s"))
    assert (told["type"], told["status"], told["stream_id"]) == ("error", 429, "s")
    assert (told["error"]["code"], told["error"]["headers"]["retry-after"]) == ("rate_limit_exceeded", "2")
    assert "stream_id" not in json.loads(error_message(RateLimitExceeded("cannot"), None))
    headers = json.loads(error_message(RateLimitExceeded("cannot"), None, {"x-request-id": "r"}))["error"]["headers"]
    assert headers == {"x-request-id": "r", "retry-after": "1", "retry-after-ms": "1000"}
