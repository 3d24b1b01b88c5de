"""Usage adds up."""

import json

from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage

from claudegwd.openai_api.usage import Usage
from tests.openai_client import described

COUNT = st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT)


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
