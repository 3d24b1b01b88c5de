"""What counts as a token."""

import pytest

from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.outputs import (
    Failed,
    Output,
    Reasoning,
    Started,
    TextPiece,
    ToolStart,
    Verbatim,
    has_token,
)

FAILED = Failed(FailureKind.CLI, None, None, None)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([], False),
        ([Started("sonnet")], False),
        ([Started("sonnet"), FAILED], False),
        ([Verbatim("message_start", b"{}")], False),
        ([Started("sonnet"), TextPiece(b'"a"')], True),
        ([Reasoning(b'"a"')], True),
        ([ToolStart(0, "toolu_1", "read")], True),
        ([Verbatim("content_block_start", b"{}"), FAILED], True),
    ],
)
def test_a_token_is_anything_of_an_answer(outputs: list[Output], expected: bool) -> None:
    assert has_token(outputs) is expected
