"""A body of the Messages API to a plan: nearly one to one where it goes in whole, refused or named by transcript."""

import base64
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.messages_api.request import read_messages_request
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.openai_api.errors import CallerError, UnsupportedParameter
from claudegwd.openai_api.fields import Fields
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.estimate import prompt_tokens
from claudegwd.translate.request.history import canonical_answer, chain
from claudegwd.translate.request.images import MAX_REQUEST_PIXELS
from claudegwd.translate.request.messages_plan import messages_plan
from claudegwd.translate.request.parameters import EXTRA_BODY, MAX_OUTPUT_TOKENS
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.translate.request.whole_body import whole_body
from tests.claudegwd.openai_api.test_modern_schema import KEYWORDS, META, VALUES
from tests.claudegwd.translate.request.test_images import png

MODEL = Model("m", "m", "M", "", ("low", "high"), "adaptive", True, 0)
MARK = {"type": "ephemeral"}
ASKED: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}
CALL = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"b": 1, "a": [2]}}
SOURCE = "messages[0].content[0].source"
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def planned(
    betas: str = "", *, whole: bool = True, plain_system: bool = True, model: Model = MODEL, **more: Any
) -> Plan:
    request = read_messages_request(Fields({**ASKED, **more}), betas, Bounds())
    return messages_plan(request, model, "client", whole=whole, plain_system=plain_system)


def turns(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]


def body(plan: Plan, *, system: bool = True) -> Any:
    return json.loads(whole_body(plan, system=system))


def test_the_body_is_the_clients_own() -> None:
    more = {
        "system": [{"type": "text", "text": "s", "cache_control": MARK}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": MARK}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "s"}, CALL]},
            {"role": "user", "content": [RESULT, {"type": "text", "text": "and?"}]},
        ],
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}, "cache_control": MARK, "strict": True}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive"},
        "service_tier": "auto",
        "context_management": {"edits": []},
    }
    assert body(planned(**more)) == {"max_tokens": 5, **more}


def test_what_is_left_out_the_cli_may_not_fill_in() -> None:
    filled = body(planned())
    assert (filled["system"], filled["tools"], filled["thinking"]) == ([], [], {"type": "disabled"})
    assert "cache_control" not in json.dumps(filled)
    assert "thinking" not in body(planned(model=replace(MODEL, thinking_off=False)))


def test_betas_go_in_as_the_cli_takes_them() -> None:
    assert body(planned("a,b"))["betas"] == ["a", "b"]
    assert "betas" not in body(planned())


def test_with_the_clis_own_lines_the_system_prompt_is_told_before() -> None:
    system = [{"type": "text", "text": "s", "cache_control": MARK}]
    plan = planned(plain_system=False, system=system)
    assert "system" not in body(plan, system=False)
    assert plan.system == "s"
    assert plan.settings.ignored == ("system.cache_control",)


def test_the_cli_is_told_the_effort_that_its_model_has() -> None:
    settings = planned(output_config={"effort": "low"}).settings
    assert (settings.effort, settings.ignored) == ("low", ())
    settings = planned(output_config={"effort": "low"}, model=replace(MODEL, efforts=())).settings
    assert (settings.effort, settings.ignored) == (None, ("output_config.effort",))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("effort", ["max", "zork", "", 1, []])
def test_an_effort_that_its_model_has_not_is_refused(effort: Any, whole: bool) -> None:
    with pytest.raises(UnsupportedParameter, match="m: it supports low, high") as caught:
        planned(whole=whole, output_config={"effort": effort})
    assert caught.value.param == "output_config.effort"


# -- by transcript ----------------------------------------------------------------------------------------------------


def test_by_transcript_the_cli_says_messages_system_and_tools_itself() -> None:
    plan = planned(whole=False, system="s", temperature=0.5, stop_sequences=["x"], metadata={"user_id": "u"})
    said = json.loads(plan.settings.env[EXTRA_BODY])
    assert said == {"temperature": 0.5, "stop_sequences": ["x"], "thinking": {"type": "disabled"}}
    assert plan.settings.env[MAX_OUTPUT_TOKENS] == "5"
    assert plan.settings.ignored == ("metadata",)


def test_by_transcript_calls_and_choices_have_the_name_that_the_cli_is_told() -> None:
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{**CALL, "name": "ToolSearch"}]},
        {"role": "user", "content": [RESULT]},
    ]
    asked = {
        "messages": messages,
        "tools": [{"name": "ToolSearch", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "ToolSearch", "disable_parallel_tool_use": True},
    }
    plan = planned(whole=False, **asked)
    [tool] = plan.tools.manifest
    assert plan.entries[1].blocks[0]["name"] == tool["name"] == plan.settings.body["tool_choice"]["name"]
    assert tool["name"] != "ToolSearch"
    assert plan.settings.body["tool_choice"]["disable_parallel_tool_use"]
    whole = body(planned(**asked))
    assert (whole["messages"], whole["tool_choice"]) == (messages, asked["tool_choice"])


def test_by_transcript_markers_and_betas_are_named() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "q", "cache_control": MARK}]}]
    tools = [{"name": "f", "input_schema": {}, "strict": True}]
    plan = planned("some-beta", whole=False, messages=messages, tools=tools)
    assert plan.settings.ignored == ("anthropic-beta", "cache_control", "tools.strict")
    assert plan.entries[0].content() == [{"type": "text", "text": "q"}]


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("container", "c", "container"),
        ("context_management", {"edits": []}, "context_management"),
        ("mcp_servers", [{"type": "url"}], "mcp_servers"),
        ("tools", [{"type": "web_search_20250305", "name": "web_search"}], "tools[0]"),
        ("messages", [{"role": "user", "content": [{"type": "search_result"}]}], "messages[0].content[0]"),
        ("messages", turns([{"type": "image", "source": {"type": "url", "url": "u"}}]), SOURCE),
        ("messages", turns([{"type": "image", "source": {"type": "text"}}]), SOURCE),
        ("messages", turns("a", [CALL, CALL], [RESULT, RESULT]), "messages"),
        ("messages", turns("a", [CALL], [RESULT], [CALL], [RESULT]), "messages"),
        ("messages", turns("a", [CALL, {**CALL, "id": "t_2"}], [RESULT, {**RESULT, "tool_use_id": "t_2"}]), "messages"),
        ("messages", [{"role": "user", "content": ""}], "messages[0].content"),
        ("messages", [{"role": "user", "content": [{"type": "text", "text": " \n"}]}], "messages[0].content"),
        ("messages", [{"role": "assistant", "content": ""}, *ASKED["messages"]], "messages[0].content"),
        ("messages", [{"role": "assistant", "content": "a"}], "messages"),
        ("messages", [{"role": "user", "content": [RESULT]}], "messages"),
        ("messages", [*ASKED["messages"], {"role": "assistant", "content": [CALL]}], "messages"),
    ],
)
def test_by_transcript_what_has_no_place_is_refused_by_its_path(field: str, value: Any, path: str) -> None:
    planned(whole=True, **{field: value})
    with pytest.raises(CallerError) as raised:
        planned(whole=False, **{field: value})
    assert raised.value.param == path


def test_by_transcript_nothing_stays_nothing_where_the_api_takes_it() -> None:
    called = [*ASKED["messages"], {"role": "assistant", "content": [CALL]}]
    result = planned(whole=False, messages=[*called, {"role": "user", "content": [{**RESULT, "content": ""}]}])
    assert result.entries[-1].results[0].blocks == ()
    assert planned(whole=False, messages=[*called[:1], {"role": "assistant", "content": ""}]).entries[-1].blocks == ()


FAULTY = [
    ("title", 5), ("minLength", -1), ("multipleOf", 0), ("enum", "x"), ("type", "str"), ("$ref", 5), ("properties", []),
    ("properties", 5), ("additionalProperties", "no"), ("type", "array"), ("$defs", []), ("anyOf", {}),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "value"), FAULTY)
def test_by_transcript_a_schema_that_is_none_is_refused_by_its_path(keyword: str, value: Any) -> None:
    tools = [{"name": "f", "input_schema": {}}, {"name": "g", "input_schema": {keyword: value}}]
    assert body(planned(whole=True, tools=tools))["tools"] == tools
    with pytest.raises(CallerError) as raised:
        planned(whole=False, tools=tools)
    assert raised.value.param == f"tools[1].input_schema.{keyword}"


def test_an_image_passes_by_transcript_and_a_bomb_does_not() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert planned(whole=False, messages=[{"role": "user", "content": [image]}]).entries[0].blocks == (image,)
    broken = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    result = {**RESULT, "content": [broken]}
    messages = [*ASKED["messages"], {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result]}]
    with pytest.raises(CallerError) as raised:
        planned(whole=False, messages=messages)
    assert raised.value.param == "messages[2].content[0].content[0].source.data"


def test_by_transcript_the_pixels_of_all_messages_are_bounded_together() -> None:
    data = base64.b64encode(png(8000, 5000)).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    most = [{"role": "user", "content": [image]}] * (MAX_REQUEST_PIXELS // 40_000_000)
    assert planned(whole=False, messages=most)
    with pytest.raises(CallerError) as raised:
        planned(whole=False, messages=[*most, {"role": "user", "content": [image]}])
    assert raised.value.param == f"messages[{len(most)}].content[0].source.data"


def test_the_same_conversation_is_found_again_whatever_its_form() -> None:
    first = planned(whole=False)
    answered = chain(first.entries[-1].digest, canonical_answer("b", [("t", "Bash", '{"a": [2], "b": 1}')]))
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": MARK}]},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}, CALL]},
        {"role": "user", "content": [RESULT]},
    ]
    assert planned(whole=False, messages=messages).entries[1].digest == answered


def test_signed_thinking_is_said_under_the_models_name() -> None:
    thought = {"type": "thinking", "thinking": "x", "signature": "s"}
    messages = [
        *ASKED["messages"],
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    entry = planned(whole=False, messages=messages).entries[1]
    assert (entry.model, entry.blocks[0]) == ("m", thought)


def test_a_question_of_one_protocol_is_not_found_in_a_process_of_the_other_by_chance() -> None:
    chat = parse_chat_request(json.dumps({"model": "m", "messages": ASKED["messages"]}).encode(), Bounds())
    assert make_plan(chat, MODEL, "client").own_body is None
    assert planned().own_body is not None


WORDS = st.sampled_from(["a", "b"])
ODD = st.one_of(WORDS, st.sampled_from([None, 5, [], {}, PNG]))
SOURCES = st.fixed_dictionaries(
    {"type": st.sampled_from(["base64", "url", "text", "content", "new"])},
    optional={"media_type": st.just("image/png"), "data": ODD, "url": WORDS, "content": ODD},
)
SIMPLE = st.one_of(st.none(), st.booleans(), st.integers(-1, 9), WORDS, st.just([]), st.just({}))
LEAVES = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": WORDS}, optional={"cache_control": SIMPLE}),
    st.fixed_dictionaries({"type": st.sampled_from(["image", "document"]), "source": SOURCES}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": WORDS, "name": WORDS, "input": st.just({})}),
    st.fixed_dictionaries({"type": st.just("thinking"), "signature": WORDS}, optional={"thinking": ODD}),
    st.fixed_dictionaries({"type": st.sampled_from(["redacted_thinking", "new"]), "data": WORDS}),
    st.fixed_dictionaries({"type": st.sampled_from(["text", "image", "tool_use", "new"])}, optional={"text": ODD}),
)
SCHEMAS = st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4)
CONTENT = st.one_of(WORDS, st.lists(LEAVES, max_size=2))
RESULTS = st.fixed_dictionaries({"type": st.just("tool_result"), "tool_use_id": WORDS}, optional={"content": CONTENT})
BLOCKS = st.one_of(LEAVES, RESULTS)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "user", "assistant", "system"]),
            "content": st.one_of(WORDS, st.lists(BLOCKS, max_size=2)),
        }
    ),
    min_size=1,
    max_size=3,
)
FIELDS = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "system": st.one_of(SIMPLE, st.lists(BLOCKS, max_size=2)),
        "output_config": st.one_of(SIMPLE, st.fixed_dictionaries({"effort": SIMPLE})),
        "tools": st.lists(st.fixed_dictionaries({"name": WORDS, "input_schema": SCHEMAS}), max_size=2),
    },
)


# A client of this API knows none of them.
OPENAIS_WORDS = r"image_url|file_data|tool_calls?\b|tool message|function|response_format|max_completion|data: URL"


@given(FIELDS, st.booleans())
def test_whatever_a_client_sends_is_planned_or_refused(fields: dict[str, Any], whole: bool) -> None:
    refused: list[CallerError] = []
    try:
        plan = planned(whole=whole, **fields)
    except CallerError as error:
        refused.append(error)
    if refused:
        assert not re.search(OPENAIS_WORDS, f"{refused[0].param}: {refused[0].message}")
        return
    assert prompt_tokens(plan) >= 0
    json.loads(whole_body(plan, system=True))
    if not whole:  # the CLI leaves out a tool whose schema is none
        assert all(META.is_valid(tool["inputSchema"]) for tool in plan.tools.manifest)
        assert all(tool["inputSchema"]["type"] == "object" for tool in plan.tools.manifest)
