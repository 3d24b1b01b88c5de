"""Text completions: what is read, and what is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.completions.request import CompletionsRequest, parse_completions_request
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.messages import TextPart


def parse(**fields: Any) -> CompletionsRequest:
    body = {"model": "sonnet", "prompt": "def f(", **fields}
    return parse_completions_request(json.dumps(body).encode(), Bounds())


def test_prompts_become_chats() -> None:
    request = parse(prompt=["a", "b"], n=2, max_tokens=5, stop="\n", temperature=0.5, top_p=1, stream=True, echo=True)
    assert (request.prompts, request.n, request.echo) == (("a", "b"), 2, True)
    first, second = request.chat_requests()
    assert [chat.messages[0].content for chat in (first, second)] == [(TextPart("a"),), (TextPart("b"),)]
    assert (first.model, first.n, first.max_tokens, first.stop, first.stream) == ("sonnet", 2, 5, ("\n",), True)
    assert (first.temperature, first.top_p) == (0.5, 1)


def test_nobody_gets_sixteen_tokens_unasked() -> None:
    assert parse().max_tokens is None


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": None}, "prompt", "invalid_value"),
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": ["a", 1]}, "prompt[1]", "invalid_value"),
        ({"prompt": ["a", " "]}, "prompt[1]", "invalid_value"),
        ({"prompt": {"a": 1}}, "prompt", "invalid_value"),
        ({"prompt": ["a"] * 9}, "prompt", "invalid_value"),
        ({"prompt": ["a"] * 3, "n": 3}, "n", "invalid_value"),
        ({"prompt": [1, 2, 3]}, "prompt", "unsupported_parameter"),
        ({"prompt": [[1, 2], [3]]}, "prompt", "unsupported_parameter"),
        ({"suffix": "end"}, "suffix", "unsupported_parameter"),
        ({"best_of": 3}, "best_of", "unsupported_parameter"),
        ({"logprobs": 0}, "logprobs", "unsupported_parameter"),
        ({"logit_bias": {"1": 1}}, "logit_bias", "unsupported_parameter"),
        ({"echo": "yes"}, "echo", "invalid_value"),
        ({"model": 7}, "model", "invalid_value"),
    ],
)
def test_refused(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_what_asks_for_nothing_is_fine() -> None:
    fields: dict[str, Any] = {"suffix": "", "best_of": 1, "logprobs": None, "logit_bias": {}, "seed": None, "n": None}
    assert parse(**fields) == parse()
    assert parse(seed=1, top_k=3).ignored == ("seed", "top_k")


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "n", "best_of", "echo", "stop", "stream", "suffix", "logprobs", "model"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text() | st.none()),
    )
)
def test_any_value_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        assert isinstance(parse(**fields), CompletionsRequest)
    except CallerError as error:
        json.loads(error.body())
