"""When the retry block goes up."""

from claudegwd.translate.answer.outputs import Reasoning, Started, TextPiece, ToolArguments, ToolStart
from claudegwd.translate.request.parameters import DEFAULT_MAX_TOKENS, MAX_OUTPUT_TOKENS
from claudegwd.workers.worker.retry_block import RetryBlock


def test_it_is_due_with_as_many_bytes_as_the_limit_has_tokens() -> None:
    block = RetryBlock({"env": {MAX_OUTPUT_TOKENS: "12"}})
    assert not block.is_due([Started("m"), ToolStart(0, "toolu_1", "a name that does not count")])
    assert not block.is_due([Reasoning(b'"four"'), ToolArguments(0, b'"{}"')])
    assert block.is_due([TextPiece(b'"x"')])


def test_it_goes_up_once() -> None:
    block = RetryBlock({"env": {MAX_OUTPUT_TOKENS: "1"}})
    assert block.is_due([TextPiece(b'"x"')])
    block.is_up = True
    assert not block.is_due([TextPiece(b'"x"')])


def test_it_is_due_at_once_where_the_answer_invites_another() -> None:
    block = RetryBlock({"env": {MAX_OUTPUT_TOKENS: "1000"}})
    assert not block.is_due([TextPiece(b'"x"')])
    assert block.is_due([TextPiece(b'"x"')], invites_another=True)


def test_without_a_limit_it_is_that_of_the_cli() -> None:
    for settings in (None, {}, {"env": {MAX_OUTPUT_TOKENS: ""}}):
        block = RetryBlock(settings)
        assert not block.is_due([TextPiece(b"x" * (DEFAULT_MAX_TOKENS - 1))])
        assert block.is_due([TextPiece(b"x")])
