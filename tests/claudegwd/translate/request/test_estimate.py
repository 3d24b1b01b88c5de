"""What a question may use, before anybody has counted it."""

import base64
import struct
from typing import Any

import pytest

from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import Reasoning, TextPiece, ToolArguments, ToolStart
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.estimate import (
    ANSWER_TOKENS,
    ANSWER_TOKENS_MAX,
    IMAGE_TOKENS,
    answer_tokens,
    prompt_tokens,
    used_tokens,
)
from claudegwd.translate.request.plan import Plan, make_plan
from tests.claudegwd.translate.requests import Body, assistant, call, chat, function, result, system, user

MODEL = Model("sonnet", "claude-sonnet", "S", "", (), "none", True, 0)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 100, 100)


def plan(messages: list[Body] | None = None, **fields: Any) -> Plan:
    return make_plan(chat(messages, **fields), MODEL, "c")


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def test_a_prompt_is_counted_by_its_characters() -> None:
    assert prompt_tokens(plan([user("x" * 4000)])) == 1000
    assert prompt_tokens(plan([system("x" * 400), user("x" * 400), assistant("x" * 400), user("x" * 400)])) == 400


@pytest.mark.parametrize("text", ["h", "hi", "🙂"])
def test_the_shortest_prompt_and_the_shortest_answer_are_one_token(text: str) -> None:
    asked = plan([user(text)])
    assert prompt_tokens(asked) == (1 if text != "🙂" else 2)
    answer = Answer()
    answer.add([TextPiece(b'"h"')])
    assert used_tokens(asked, answer) == prompt_tokens(asked) + 1


def test_tools_and_their_calls_and_results_count() -> None:
    called = assistant(None, call("1", "read", '{"a":"%s"}' % ("x" * 4000)))
    history = [user("x" * 400), called, result("1", "x" * 8000)]
    bare = prompt_tokens(plan(history, tools=[function("read")]))
    assert 3100 < bare < 3300
    assert prompt_tokens(plan(history, tools=[function("read", description="x" * 40_000)])) == pytest.approx(
        bare + 10_000, abs=10
    )


def test_a_picture_is_no_book() -> None:
    picture = {"type": "image_url", "image_url": {"url": data_url("image/png", PNG + bytes(1_000_000))}}
    assert prompt_tokens(plan([user([picture, picture])])) == 2 * IMAGE_TOKENS


def test_documents() -> None:
    text = {"type": "file", "file": {"file_data": data_url("text/plain", b"x" * 4000)}}
    assert prompt_tokens(plan([user([text])])) == 1000
    pdf = {"type": "file", "file": {"file_data": data_url("application/pdf", b"%PDF-1.7" + bytes(60_000))}}
    assert 1_500 < prompt_tokens(plan([user([pdf])])) < 3_000


def test_an_answer_is_as_long_as_the_client_lets_it_be() -> None:
    assert answer_tokens(plan()) == ANSWER_TOKENS
    assert answer_tokens(plan(max_tokens=50)) == 50
    assert answer_tokens(plan(max_tokens=50, max_completion_tokens=20_000)) == 20_000
    assert answer_tokens(plan(max_tokens=2**31 - 1)) == ANSWER_TOKENS_MAX


def test_of_an_answer_that_was_broken_off_all_that_came_counts() -> None:
    answer = Answer()
    assert used_tokens(plan([user("x" * 400)]), answer) == 100
    said = b'"%s"' % (b"x" * 398)
    answer.add([TextPiece(said), Reasoning(said), ToolStart(0, "1", "read"), ToolArguments(0, said)])
    assert used_tokens(plan([user("x" * 400)]), answer) == 400


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # By @anthropic-ai/tokenizer 0.0.4.
        ("Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и "
         "должны поступать в отношении друг друга в духе братства. " * 5, 446),
        ("人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。" * 10, 490),
    ],
)  # fmt: skip
def test_other_scripts_have_more_tokens_for_their_characters(text: str, tokens: int) -> None:
    found = prompt_tokens(make_plan(chat([user(text)]), MODEL, "c"))
    assert found == pytest.approx(tokens, rel=0.15)
