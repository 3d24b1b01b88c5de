"""Usage adds up."""

import json

from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage
from openai.types.responses import ResponseUsage

from claudegwd.openai_api.usage import Usage
from tests.openai_client import described

COUNT = st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)


@given(USAGES, USAGES)
def test_the_usage_of_two_choices_is_their_sum(one: Usage, other: Usage) -> None:
    read = CompletionUsage.model_validate((one + other).shape(), strict=True)
    assert read.prompt_tokens == one.prompt_tokens + other.prompt_tokens
    assert read.total_tokens == read.prompt_tokens + read.completion_tokens
    assert read.completion_tokens_details is not None
    assert read.completion_tokens_details.reasoning_tokens == one.reasoning_tokens + other.reasoning_tokens
    assert read.prompt_tokens_details is not None
    assert read.prompt_tokens_details.cached_tokens == one.cached_tokens + other.cached_tokens


def test_the_description_is_satisfied() -> None:
    described("CompletionUsage", json.dumps(Usage(1, 2, 3, 4).shape()))
    described("ResponseUsage", json.dumps(Usage(1, 2, 3, 4, 5).response_shape()))


@given(USAGES, USAGES)
def test_the_other_shape_holds_the_same(one: Usage, other: Usage) -> None:
    read = ResponseUsage.model_validate((one + other).response_shape(), strict=True)
    assert (read.input_tokens, read.output_tokens) == (
        one.prompt_tokens + other.prompt_tokens, one.completion_tokens + other.completion_tokens,
    )  # fmt: skip
    assert read.total_tokens == read.input_tokens + read.output_tokens
    assert read.input_tokens_details.cached_tokens == one.cached_tokens + other.cached_tokens
    assert read.input_tokens_details.cache_write_tokens == one.written_tokens + other.written_tokens
    assert read.output_tokens_details.reasoning_tokens == one.reasoning_tokens + other.reasoning_tokens
