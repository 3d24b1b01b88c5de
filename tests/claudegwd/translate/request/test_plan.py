"""A request as a plan."""

import json
from dataclasses import replace
from typing import Any

import pytest

from claudegwd.keys.failures import FailureKind
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After, Failed, Finished, Output, TextPiece, TokenCount, ToolStart
from claudegwd.translate.answer.text_filters import FilterChain, ObjectFilter, StopsFilter
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.history import CONTINUE, canonical_answer, chain
from claudegwd.translate.request.plan import Plan, make_plan
from tests.claudegwd.translate.requests import Body, assistant, call, chat, function, result, system, user

MODEL = Model("sonnet", "claude-sonnet", "S", "", (), "none", True, 0)
ANY_JSON = {"type": "json_object"}
ONE_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": ONE_SCHEMA, "strict": True}}
HISTORY = [user("a"), assistant(None, call("1")), result("1")]


def plan(messages: list[Body] | None = None, *, client: str = "c", model: Model = MODEL, **fields: Any) -> Plan:
    return make_plan(chat(messages, **fields), model, client)


def test_a_plan() -> None:
    made = plan([system("Be nice"), user("a")], tools=[function("read")], stop=["\n", "END"], session_id="s")
    assert (made.client, made.model, made.system) == ("c", MODEL, "Be nice")
    assert made.tools.names == {"read": "read"}
    assert [entry.role for entry in made.entries] == ["user"]
    assert made.settings.body == {"stop_sequences": ["END"]}
    assert made.own_stops == ("\n",)
    assert not made.is_prefill


@pytest.mark.parametrize(("thinking", "prefilled"), [("none", True), ("budget", True), ("adaptive", False)])
def test_a_prefill(thinking: str, prefilled: bool) -> None:
    model = Model("m", "claude-m", "M", "", (), thinking, True, 0)
    made = plan([user("a"), assistant("b")], model=model)
    assert made.is_prefill is prefilled
    words = [entry.blocks[0]["text"] for entry in made.entries]
    assert words == (["a", "b"] if prefilled else ["a", "b", CONTINUE])


def test_the_same_conversation_has_the_same_base() -> None:
    assert plan().base == plan([user("another")], temperature=0.5, max_tokens=5, user="u").base
    other_model = Model("sonnet", "claude-other", "S", "", (), "none", True, 0)
    bases = [
        plan().base,
        plan(client="d").base,
        plan(model=other_model).base,
        plan([system("x"), user("hi")]).base,
        plan(system_prompt="y").base,
        plan(tools=[function("read")]).base,
        plan(tools=[function("read", {"type": "object", "required": ["a"]})]).base,
        plan(project_id="p").base,
        plan(session_id="p").base,
        plan(response_format=ANY_JSON).base,
    ]
    assert len(set(bases)) == len(bases)


def test_a_plan_for_one_way_of_sending_requests_is_made_anew_for_the_other() -> None:
    anew = plan
    searching = replace(plan(web_search_options={}), anew=anew)
    assert (searching.anew_for(whole=True), searching.anew_for(whole=False)) == (None, anew)
    assert replace(plan(), anew=anew).anew_for(whole=False) is None


def test_a_history_of_tools_without_tools_declares_them_and_calls_none() -> None:
    made = plan(HISTORY)
    assert [tool["name"] for tool in made.tools.manifest] == ["read"]
    assert made.settings.body["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in plan(HISTORY, tools=[function("read")]).settings.body


def test_the_form_of_the_answer_is_asked_for_by_one_way() -> None:
    in_words = plan([system("Be nice"), user("a")], response_format=ANY_JSON)
    assert in_words.system.startswith("Be nice\n\nUnless you call a tool, ")
    assert "output_config" not in in_words.settings.body
    structured = plan(response_format=BY_SCHEMA)
    assert structured.system == ""
    assert structured.settings.body["output_config"]["format"]["type"] == "json_schema"


def test_faults_name_their_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}})
    assert caught.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, type(None)),
        ({"stop": "END"}, type(None)),
        ({"stop": "\n"}, StopsFilter),
        ({"response_format": ANY_JSON}, ObjectFilter),
        ({"response_format": BY_SCHEMA}, ObjectFilter),
        ({"response_format": ANY_JSON, "stop": ["\n\n"]}, FilterChain),
    ],
)
def test_the_text_passes_through_what_it_needs(fields: Body, kind: type) -> None:
    made = plan(**fields)
    assert type(made.turn().filter) is kind
    assert made.turn() is not made.turn()
    assert made.turn().tools is made.tools


def answered(text: str, reason: str = "stop", *more: Output) -> Answer:
    answer = Answer()
    answer.add([*more, TextPiece(json.dumps(text).encode()), Finished(reason, TokenCount(), After.KEEP)])
    return answer


class TestCheck:
    @pytest.mark.parametrize("text", ["no JSON", "[1]", '{"a": 1}'])
    def test_what_is_not_in_the_format_is_a_fault(self, text: str) -> None:
        assert plan(response_format=BY_SCHEMA).fault(answered(text))

    def test_what_is_passes(self) -> None:
        assert plan(response_format=BY_SCHEMA).fault(answered('{"a": "x"}')) is None
        assert plan(response_format=ANY_JSON).fault(answered('{"b": 1}')) is None
        assert plan().fault(answered("no JSON")) is None

    @pytest.mark.parametrize("reason", ["length", "content_filter"])
    def test_an_answer_that_was_cut_says_so_itself(self, reason: str) -> None:
        assert plan(response_format=ANY_JSON).fault(answered('{"b', reason)) is None

    def test_calls_need_no_form(self) -> None:
        answer = answered("I will.", "tool_calls", ToolStart(0, "1", "read"))
        assert plan(response_format=ANY_JSON).fault(answer) is None

    def test_a_failure_is_told_by_others(self) -> None:
        answer = Answer()
        answer.add([Failed(FailureKind.CLI, None, None, None)])
        assert plan(response_format=ANY_JSON).fault(answer) is None


class TestCorrected:
    def test_the_question_goes_on_from_the_answer_as_the_pool_files_it(self) -> None:
        asked, answer = plan(response_format=BY_SCHEMA), answered(" Ann ")
        made = asked.corrected(answer, "it is none")
        assert made is not None
        *before, given, again = made.entries
        assert tuple(before) == asked.entries
        assert given.digest == chain(asked.entries[-1].digest, canonical_answer(" Ann ", []))
        assert given.blocks[0]["text"] == " Ann "
        assert "it is none" in again.blocks[0]["text"]
        assert made.settings == asked.settings

    def test_an_answer_of_nothing_is_no_empty_turn(self) -> None:
        made = plan(response_format=ANY_JSON).corrected(answered(""), "it is none")
        assert made is not None
        assert made.entries[-2].blocks[0]["text"].strip()

    def test_text_needs_none(self) -> None:
        assert plan().corrected(answered("x"), "it is none") is None
