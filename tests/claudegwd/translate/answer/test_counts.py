"""Anthropic's counts as OpenAI's."""

from claudegwd.claude_cli.events import RawUsage
from claudegwd.translate.answer.counts import count_cut, count_tokens
from claudegwd.translate.answer.outputs import TokenCount

HEAD = RawUsage(input_tokens=10, output_tokens=1, cache_read_input_tokens=100, cache_creation_input_tokens=20)


def test_the_prompt_holds_what_the_cache_read_and_wrote() -> None:
    last = RawUsage(output_tokens=9, output_tokens_details={"thinking_tokens": 4})
    assert count_tokens(HEAD, last) == TokenCount(prompt=130, completion=9, cached=100, reasoning=4, written=20)


def test_the_end_wins_over_the_start() -> None:
    last = RawUsage(input_tokens=11, output_tokens=0, cache_read_input_tokens=90)
    assert count_tokens(HEAD, last) == TokenCount(prompt=121, completion=0, cached=90, written=20)


def test_zeros_at_the_end_do_not_undo_the_counts_of_the_prompt() -> None:
    last = RawUsage(input_tokens=0, output_tokens=9, cache_read_input_tokens=0, cache_creation_input_tokens=0)
    assert count_tokens(HEAD, last) == TokenCount(prompt=130, completion=9, cached=100, written=20)


def test_what_is_missing_or_strange_counts_nothing() -> None:
    assert count_tokens(RawUsage(), RawUsage()) == TokenCount()
    assert count_tokens(RawUsage(), RawUsage(output_tokens_details={"thinking_tokens": "4"})) == TokenCount()


def test_an_answer_that_we_cut_is_estimated() -> None:
    assert count_cut(HEAD, 9) == TokenCount(prompt=130, completion=3, cached=100, written=20, estimated=True)
    assert count_cut(HEAD, 0).completion == 1
