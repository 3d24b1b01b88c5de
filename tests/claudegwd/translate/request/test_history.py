"""Messages to entries: the sides, what is left out or put in, and the digests that find a kept conversation."""

import json
from typing import Any

import pytest

from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.request.history import (
    CONTINUE,
    LATE_RESULT,
    NO_RESULT,
    OPENING,
    Begun,
    Entry,
    ToolResult,
    base_digest,
    call_id,
    canonical_answer,
    chain,
    entries_of,
    system_text,
)
from tests.claudegwd.translate.requests import Body, assistant, call, chat, result, system, user

BASE = base_digest("client", "model")
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def entries(*messages: Body) -> tuple[Entry, ...]:
    return entries_of(chat(list(messages)).messages, BASE)


def sides(*messages: Body) -> list[tuple[str, list[Any]]]:
    """Each side with its texts, and the types of what is no text."""
    return [
        (entry.role, [block.get("text", block["type"]) for block in entry.content()]) for entry in entries(*messages)
    ]


def last(*messages: Body) -> bytes:
    return entries(*messages)[-1].digest


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


class TestSides:
    def test_four_messages_are_four_turns(self) -> None:
        history = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")]
        assert sides(*history) == [
            ("user", ["a"]),
            ("assistant", ["b"]),
            ("user", ["c"]),
            ("assistant", ["d"]),
            ("user", ["e"]),
        ]

    def test_neighbours_of_one_side_become_one(self) -> None:
        history = [user("a"), system("x"), user("b"), assistant("c"), assistant("d"), user("e")]
        assert sides(*history) == [("user", ["a", "b"]), ("assistant", ["c", "d"]), ("user", ["e"])]

    @pytest.mark.parametrize("nothing", [assistant(None), assistant(""), assistant(" \n"), user(""), user("  ")])
    def test_messages_that_say_nothing_are_left_out(self, nothing: Body) -> None:
        assert sides(user("a"), nothing, assistant("b"), user("c")) == sides(user("a"), assistant("b"), user("c"))

    def test_parts_of_white_space_are_left_out(self) -> None:
        assert sides(user([text("a"), text("\n"), text("b")])) == [("user", ["a", "b"])]

    def test_a_greeting_of_the_assistants_needs_somebody_to_greet(self) -> None:
        assert sides(assistant("Hello!"), user("hi"))[:2] == [("user", [OPENING]), ("assistant", ["Hello!"])]

    def test_a_system_message_alone_is_answered(self) -> None:
        assert sides(system("Write a poem.")) == [("user", [OPENING])]
        assert sides(system("Write a poem."), user(" ")) == [("user", [OPENING])]

    @pytest.mark.parametrize("messages", [[user("")], [user(" ")], [system("")], [system(" "), user("")]])
    def test_nothing_at_all_cannot_be_asked(self, messages: list[Body]) -> None:
        with pytest.raises(InvalidRequest) as caught:
            entries(*messages)
        assert caught.value.param == "messages"

    def test_a_last_message_of_the_assistants_is_gone_on_from(self) -> None:
        # The Messages API refuses white space at its end.
        assert sides(user("a"), assistant("Once \n")) == [("user", ["a"]), ("assistant", ["Once"])]
        assert last(user("a"), assistant("Once \n")) == last(user("a"), assistant("Once"))

    def test_where_the_model_refuses_that_the_user_asks_for_it(self) -> None:
        messages = chat([user("a"), assistant("Once")]).messages
        *before, asked = entries_of(messages, b"base", prefills=False)
        assert tuple(before) == entries_of(messages, b"base")
        assert (asked.role, asked.blocks) == ("user", ({"type": "text", "text": CONTINUE},))
        with pytest.raises(InvalidRequest):
            entries_of(chat([user("a"), assistant("b", call("1"))]).messages, b"base", prefills=False)

    def test_a_refusal_is_what_the_assistant_said(self) -> None:
        assert sides(user("a"), assistant(None, refusal="No."), user("b"))[1] == ("assistant", ["No."])


class TestCalls:
    def test_results_go_before_what_the_user_says(self) -> None:
        made = entries(user("a"), assistant("b", call("1"), call("2")), result("2"), user("c"), result("1"))[-1]
        assert [block["type"] for block in made.content()] == ["tool_result", "tool_result", "text"]
        assert [one.call_id for one in made.results] == ["2", "1"]

    def test_blocks_of_a_call_and_its_result(self) -> None:
        made = entries(user("a"), assistant(None, call("1", "odd.name", '{"x": 1}')), result("1", [text("r")]))
        assert made[1].blocks[0] == {"type": "tool_use", "id": "1", "name": "odd_name_919b02c3", "input": {"x": 1}}
        assert made[2].content() == [{"type": "tool_result", "tool_use_id": "1", "content": [text("r")]}]

    def test_images_in_results(self) -> None:
        image = {"type": "image_url", "image_url": {"url": PIXEL}}
        made = entries(user("a"), assistant(None, call("1")), result("1", [image]))
        assert [block["type"] for block in made[2].results[0].blocks] == ["image"]
        assert made[2].results[0].chars == 0

    @pytest.mark.parametrize("content", ["", "\n", None, []])
    def test_an_empty_result_is_a_result(self, content: Any) -> None:
        made = entries(user("a"), assistant(None, call("1")), result("1", content))
        assert made[2].content() == [{"type": "tool_result", "tool_use_id": "1"}]

    def test_a_call_that_was_abandoned_has_the_result_that_the_api_wants(self) -> None:
        made = entries(user("a"), assistant(None, call("1"), call("2")), result("2"), user("go on"))[-1]
        assert made.results[1] == ToolResult("1", (text(NO_RESULT),), is_error=True)
        assert made.results[1].block()["is_error"] is True

    def test_a_late_result_is_told_when_it_comes(self) -> None:
        gone_on = [user("a"), assistant(None, call("1")), user("never mind"), assistant("b")]
        made = entries(*gone_on, result("1", "late", name="read"))
        assert made[2].results[0].is_error
        assert made[4].content() == [text(LATE_RESULT.format(name="read")), text("late")]

    def test_a_call_cannot_be_gone_on_from(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            entries(user("a"), assistant("b", call("1")))
        assert caught.value.param == "messages"

    def test_legacy_functions(self) -> None:
        spoken = {"role": "assistant", "content": None, "function_call": {"name": "read", "arguments": "{}"}}
        made = entries(user("a"), spoken, {"role": "function", "name": "read", "content": "r"})
        assert made[2].results[0].call_id == made[1].blocks[0]["id"]

    def test_arguments_that_are_no_json_are_kept(self) -> None:
        made = entries(user("a"), assistant(None, call("1", arguments='{"a": ')), result("1"))
        assert made[1].blocks[0]["input"] == {"arguments": '{"a": '}


class TestIds:
    @pytest.mark.parametrize("ident", ["toolu_01", "call-1", "a" * 128])
    def test_plain_ones_stay(self, ident: str) -> None:
        assert call_id(ident) == ident

    @pytest.mark.parametrize("ident", ["", "a.b", "a b", "a" * 129, "é", "a\n", "\ud800"])
    def test_others_get_one_of_their_own(self, ident: str) -> None:
        assert call_id(ident) == call_id(ident)
        assert call_id(call_id(ident)) == call_id(ident)
        assert call_id(ident) != call_id(ident + "x")


class TestSystem:
    def test_all_of_them_in_order(self) -> None:
        messages = chat([system("a"), user("x"), system([text("b"), text("c")], "developer")]).messages
        assert system_text(messages) == "a\n\nbc"
        assert system_text(messages, "first") == "first\n\na\n\nbc"

    @pytest.mark.parametrize("content", ["", "  \n", []])
    def test_an_empty_one_is_none(self, content: Any) -> None:
        assert system_text(chat([system(content), user("x")]).messages, "") == ""


ARGUMENTS = {"path": "é", "lines": [1, 2.0], "deep": {"b": None, "a": True}}
CALLED = [
    user("a"),
    assistant("I will. ", call("1", arguments=json.dumps(ARGUMENTS)), call("2")),
    result("1", "one"),
    result("2", "two"),
]
REWRITTEN = json.dumps({**dict(reversed(ARGUMENTS.items())), "lines": [1, 2]}, indent=2, ensure_ascii=False)


class TestTheSameConversation:
    @pytest.mark.parametrize(
        "same",
        [
            [user([text("a")]), *CALLED[1:]],
            [CALLED[0], assistant([text("I will. ")], *CALLED[1]["tool_calls"]), *CALLED[2:]],
            [CALLED[0], {**CALLED[1], "content": "\nI will."}, *CALLED[2:]],
            [CALLED[0], {**CALLED[1], "reasoning_content": "hm", "annotations": [], "refusal": None}, *CALLED[2:]],
            [CALLED[0], assistant("I will. ", call("1", arguments=REWRITTEN), call("2", arguments="")), *CALLED[2:]],
            [*CALLED[:2], CALLED[3], CALLED[2]],
            [*CALLED[:2], result("1", [text("one")]), {**CALLED[3], "name": "read"}],
            [CALLED[0], assistant("I will. "), assistant(None, *CALLED[1]["tool_calls"]), *CALLED[2:]],
            [system("set elsewhere"), *CALLED],
        ],
    )
    def test_written_otherwise(self, same: list[Body]) -> None:
        assert last(*same) == last(*CALLED)

    def test_the_answer_as_it_was_given_and_as_it_comes_back(self) -> None:
        calls = [("1", "read", json.dumps(ARGUMENTS)), ("2", "read", "{}")]
        given = chain(entries(CALLED[0])[-1].digest, canonical_answer("I will. ", calls))
        assert entries(*CALLED)[1].digest == given

    def test_ids_of_other_characters_match_too(self) -> None:
        history = [user("a"), assistant(None, call("a:b")), result("a:b")]
        given = chain(entries(history[0])[-1].digest, canonical_answer("", [("a:b", "read", "{}")]))
        assert entries(*history)[1].digest == given

    def test_what_a_model_said_in_half_characters_has_a_digest(self) -> None:
        assert chain(BASE, canonical_answer("\ud800", [("1", "read", '{"a": "\ud800"}')]))


class TestAnotherConversation:
    @pytest.mark.parametrize(
        "other",
        [
            [user("b"), *CALLED[1:]],
            [user("a "), *CALLED[1:]],
            [user([text("a"), text("b")]), *CALLED[1:]],
            [user([text("a"), {"type": "image_url", "image_url": {"url": PIXEL}}]), *CALLED[1:]],
            [CALLED[0], {**CALLED[1], "content": "I  will."}, *CALLED[2:]],
            [CALLED[0], {**CALLED[1], "content": None}, *CALLED[2:]],
            [CALLED[0], assistant("I will. ", call("1", arguments='{"path": "e"}'), call("2")), *CALLED[2:]],
            [CALLED[0], assistant("I will. ", *reversed(CALLED[1]["tool_calls"])), *CALLED[2:]],
            [CALLED[0], assistant("I will. ", CALLED[1]["tool_calls"][0], call("2", "write")), *CALLED[2:]],
            [*CALLED[:2], result("1", "two"), result("2", "one")],
            [*CALLED[:3]],
            [*CALLED, user("and")],
        ],
    )
    def test_edits(self, other: list[Body]) -> None:
        assert last(*other) != last(*CALLED)

    def test_an_image_is_not_the_text_of_its_digest(self) -> None:
        image = entries(user([{"type": "image_url", "image_url": {"url": PIXEL}}]))[0]
        assert image.digest != BASE

    def test_each_fact_of_the_base_counts(self) -> None:
        bases = [
            base_digest("client", "model", "system", ()),
            base_digest("other", "model", "system", ()),
            base_digest("client", "other", "system", ()),
            base_digest("client", "model", "", ()),
            base_digest("client", "model", "system", ({"name": "read"},)),
            base_digest("clientmodel", "", "system", ()),
        ]
        assert len(set(bases)) == len(bases)
        digests = {entries_of(chat().messages, base)[-1].digest for base in bases}
        assert len(digests) == len(bases)

    def test_an_entry_has_an_id_of_its_own(self) -> None:
        made = entries(*CALLED)
        assert len({entry.ident for entry in made}) == len(made)
        assert all(entry.ident.startswith("msg_") and call_id(entry.ident) == entry.ident for entry in made)


MIXED = [
    system("be brief"),
    assistant("hello"),
    user("a"),
    user([{"type": "image_url", "image_url": {"url": PIXEL}}]),
    assistant("", call("1"), call("2")),
    result("1", "one"),
    assistant("b"),
    user("c"),
    result("2", "late"),
    assistant("d"),
    assistant("and"),
    user("e"),
]


@pytest.mark.parametrize("count", range(2, len(MIXED)))
@pytest.mark.parametrize("prefills", [True, False])
def test_what_has_begun_goes_on_as_if_all_were_read_anew(count: int, prefills: bool) -> None:
    messages = chat(MIXED).messages
    if messages[count - 1].tool_calls:
        return  # it cannot be asked without a result
    earlier = Begun(BASE, messages[:count], entries_of(messages[:count], BASE, prefills=prefills))
    again = entries_of(messages, BASE, prefills=prefills, begun=earlier)
    assert again == entries_of(messages, BASE, prefills=prefills)
    assert sum(entry.pixels for entry in again) == 1
    if count > 4:
        assert again[1] is earlier.entries[1]


def test_what_has_begun_elsewhere_or_otherwise_is_not_gone_on_from() -> None:
    messages = chat(MIXED).messages
    other = chat([*MIXED[:2], user("x"), *MIXED[3:]]).messages
    for earlier in (Begun(b"other", messages, entries_of(messages, b"other")), Begun(BASE, other, entries(*MIXED[:2]))):
        assert entries_of(messages, BASE, begun=earlier) == entries(*MIXED)
