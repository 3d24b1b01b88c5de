"""The whole request: what real clients send is read, and nothing but a CallerError ever comes of what is broken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.chat.request import Bounds, ChatRequest, JsonSchema, NamedTool, TextPart, parse_chat_request
from claudegwd.openai_api.errors import CallerError, InvalidRequest, UnsupportedParameter
from tests.claudegwd.openai_api.real_clients import HELLO, REAL_CLIENTS, SCHEMA


def parse(**fields: Any) -> ChatRequest:
    body = {"model": "sonnet", "messages": HELLO, **fields}
    return parse_chat_request(json.dumps(body).encode(), Bounds())


def refused(kind: type[CallerError] = InvalidRequest, /, **fields: Any) -> str | None:
    """The `param` of the error."""
    with pytest.raises(kind) as caught:
        parse(**fields)
    assert caught.value.message.startswith("cannot ")
    assert caught.value.status == 400
    return caught.value.param


def test_the_least_that_can_be_asked() -> None:
    request = parse()
    assert request.model == "sonnet"
    assert request.messages[0].content == (TextPart("Hello"),)
    assert (request.stream, request.include_usage, request.n) == (False, False, 1)
    assert (request.stop, request.ignored, request.tools) == ((), (), ())


# fmt: off
NULLABLE = (
    "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p", "n",
    "tools", "tool_choice", "functions", "parallel_tool_calls", "function_call", "response_format",
    "reasoning_effort", "user", "metadata", "prompt_cache_key", "verbosity", "seed", "store", "service_tier",
    "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias", "audio", "modalities",
    "prediction", "web_search_options", "moderation", "safety_identifier", "project_id", "session_id",
    "system_prompt", "whatever",
)


# fmt: on
def test_null_is_absent() -> None:
    assert parse(**dict.fromkeys(NULLABLE)) == parse()


def params_refused(name: str, values: list[object]) -> list[str | None]:
    params = []
    for value in values:
        try:
            parse(**{name: value})
        except CallerError as error:
            params.append(error.param)
    return params


@pytest.mark.parametrize("name", [name for name in NULLABLE if name != "whatever"])
def test_every_known_parameter_has_its_type_checked(name: str) -> None:
    # No parameter takes all three; most take none.
    params = params_refused(name, [{"type": ["?"]}, -0.25, "\x00"])
    assert params
    assert all((param or "").startswith(name) for param in params)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_what_must_be_there(name: str) -> None:
    assert refused(**{name: None}) == name
    assert refused(**{name: []}) == name


def test_a_model_name_has_a_length() -> None:
    assert refused(model="m" * 257) == "model"
    assert refused(model="") == "model"


def test_a_responses_body_is_told_where_to_go() -> None:
    with pytest.raises(InvalidRequest, match="/v1/responses"):
        parse_chat_request(b'{"model": "sonnet", "input": "Hello"}', Bounds())


def test_the_newer_name_of_max_tokens_wins() -> None:
    assert parse(max_tokens=5).max_tokens == 5
    assert parse(max_tokens=5, max_completion_tokens=7).max_tokens == 7
    assert refused(max_tokens=0) == "max_tokens"
    assert refused(max_tokens=10**30, max_completion_tokens=7) == "max_tokens"
    assert refused(max_completion_tokens=-1) == "max_completion_tokens"


def test_usage_chunks_only_where_asked_for_in_a_stream() -> None:
    asked = {"include_usage": True}
    assert parse(stream=True, stream_options=asked).include_usage
    assert not parse(stream=True, stream_options={"include_usage": None}).include_usage
    not_streamed = parse(stream_options=asked)
    assert not not_streamed.include_usage
    assert not_streamed.ignored == ("stream_options",)


@pytest.mark.parametrize(
    ("stop", "read"),
    [("END", ("END",)), (["a", "b"], ("a", "b")), ([], ()), (["a", "a"], ("a",)), ("\n", ("\n",))],
)
def test_stop(stop: object, read: tuple[str, ...]) -> None:
    assert parse(stop=stop).stop == read


@pytest.mark.parametrize(
    ("stop", "param"), [("", "stop"), (["a"] * 5, "stop"), (["a", 1], "stop[1]"), (["a", ""], "stop[1]"), (7, "stop")]
)
def test_stop_refused(stop: object, param: str) -> None:
    assert refused(stop=stop) == param


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("temperature", [0, 1, 2, 0.7], [-0.1, 2.1, "1", True, 10**400]),
        ("top_p", [0, 0.95, 1], [-1, 1.01, []]),
        ("n", [1, 8, 2.0], [0, 9, 1.5, "1", True, 10**30]),
        ("frequency_penalty", [0, -2, 2], [2.5, "0"]),
        ("stream", [True, False], ["true", 1, 0]),
        ("reasoning_effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"], ["hardest", 3]),
        ("seed", [1, -5, 7.0], ["1", 0.5]),
        ("metadata", [{}, {"a": "b"}], ["a", [1]]),
    ],
)
def test_ranges_and_types(name: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        parse(**{name: value})
    for value in bad:
        assert refused(**{name: value}) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"50256": -100}),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("modalities", ["text", "audio"]),
        ("prediction", {"type": "content", "content": "x"}),
        ("moderation", {"model": "omni-moderation-latest"}),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(name: str, value: object) -> None:
    assert refused(UnsupportedParameter, **{name: value}) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logprobs", False),
        ("top_logprobs", 0),
        ("logit_bias", {}),
        ("modalities", ["text"]),
        ("store", False),
        ("frequency_penalty", 0),
        ("presence_penalty", 0.0),
        ("service_tier", "auto"),
        ("include", []),
        ("verbosity", "medium"),
    ],
)
def test_defaults_spelled_out_are_nothing_special(name: str, value: object) -> None:
    assert parse(**{name: value}).ignored == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 7),
        ("user", "someone"),
        ("safety_identifier", "someone"),
        ("metadata", {"a": "b"}),
        ("store", True),
        ("service_tier", "flex"),
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("verbosity", "low"),
        ("prompt_cache_retention", "24h"),
        ("top_k", 40),
        ("thinking", {"type": "enabled"}),
        ("echo", False),
    ],
)
def test_what_has_no_effect_is_accepted_and_named(name: str, value: object) -> None:
    assert parse(**{name: value}).ignored == (name,)


def test_names_that_a_header_cannot_hold_are_not_put_there() -> None:
    odd = {"a\r\nx-evil: 1": 1, "é": 1, "": 1, "y" * 65: 1, "fine_1": 1}
    assert parse(**odd).ignored == ("fine_1",)
    assert len(parse(**{f"field{number}": 1 for number in range(1000)}).ignored) == 32


def test_what_the_older_gateways_clients_send() -> None:
    request = parse(project_id="p", session_id="s", system_prompt="Be brief.")
    assert (request.project_id, request.session_id, request.system_prompt) == ("p", "s", "Be brief.")
    assert request.ignored == ()


@pytest.mark.parametrize("client", REAL_CLIENTS)
def test_what_real_clients_send_is_read(client: str) -> None:
    request = parse(**REAL_CLIENTS[client])
    assert len(request.messages) == len(REAL_CLIENTS[client].get("messages", HELLO))
    assert len(request.tools) == len(REAL_CLIENTS[client].get("tools", ()))


def test_an_agents_request_in_full() -> None:
    request = parse(**REAL_CLIENTS["langchain"], tool_choice={"type": "function", "function": {"name": "read_file"}})
    assert request.response_format == JsonSchema("Answer", SCHEMA, strict=True)
    assert request.tool_choice == NamedTool("read_file")
    assert request.tools[0].parameters == SCHEMA
    assert request.tools[0].strict is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*NULLABLE, "model", "messages"])
WORDS = st.sampled_from(
    (
        "role",
        "content",
        "type",
        "text",
        "user",
        "assistant",
        "tool",
        "tool_calls",
        "tool_call_id",
        "id",
        "function",
        "name",
        "arguments",
        "parameters",
        "properties",
        "json_schema",
        "schema",
        "image_url",
        "url",
        "file",
        "file_data",
        "function_call",
        "allowed_tools",
        "mode",
        "tools",
        "data:,x",
    )
)
SHAPED = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-2, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


def must_read_or_refuse(body: bytes) -> None:
    try:
        assert isinstance(parse_chat_request(body, Bounds()), ChatRequest)
    except CallerError as error:
        json.loads(error.body())


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    must_read_or_refuse(json.dumps(value).encode())


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    must_read_or_refuse(body)


@given(st.dictionaries(NAMES, JSON | SHAPED, max_size=6))
def test_any_value_of_any_parameter_is_read_or_refused(fields: dict[str, object]) -> None:
    must_read_or_refuse(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())


@given(st.lists(st.dictionaries(WORDS, SHAPED, max_size=6), min_size=1, max_size=4))
def test_any_messages_are_read_or_refused(messages: list[dict[str, object]]) -> None:
    must_read_or_refuse(json.dumps({"model": "m", "messages": messages, "tools": messages}).encode())


def test_marks_of_caches_are_named() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    tool = {"type": "function", "function": {"name": "look"}}
    part = {"type": "text", "text": "hello"}
    assert parse(messages=[{"role": "user", "content": [part | mark]}]).ignored == ("messages.cache_control",)
    assert parse(messages=[{"role": "user", "content": "hello"} | mark]).ignored == ("messages.cache_control",)
    assert parse(tools=[tool | mark]).ignored == ("tools.cache_control",)
    assert parse(tools=[tool | {"function": {"name": "look"} | mark}]).ignored == ("tools.cache_control",)
    of_anthropics = {"name": "look", "input_schema": {"type": "object"}}
    assert parse(tools=[of_anthropics | mark | {"function": "look"}]).ignored == ("tools.cache_control",)
    assert parse(messages=[{"role": "user", "content": [part]}], tools=[tool]).ignored == ()
