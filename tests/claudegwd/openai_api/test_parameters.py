"""Every parameter of OpenAI's description has a place: honoured, refused or ignored, in one of them only."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat import request as chat_request
from claudegwd.openai_api.completions import request as completions_request
from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.parameters import IGNORED, OF_ANTHROPICS_API, REFUSED, name_what_is_ignored
from claudegwd.openai_api.responses.request import parse_responses_request
from tests.claudegwd.openai_api.responses.test_description import NOTHING_KEPT
from tests.openai_description import properties


def test_no_parameter_of_chat_is_unknown_to_us() -> None:
    assert properties("CreateChatCompletionRequest") <= chat_request.KNOWN | IGNORED.keys()


def test_no_parameter_of_text_completions_is_unknown_to_us() -> None:
    assert properties("CreateCompletionRequest") <= completions_request.KNOWN | IGNORED.keys()


def test_every_parameter_has_one_place() -> None:
    assert not chat_request.HONOURED & REFUSED.keys()
    assert not chat_request.KNOWN & IGNORED.keys()
    assert not completions_request.HONOURED & completions_request.REFUSED.keys()
    assert not completions_request.KNOWN & IGNORED.keys()


Read = Callable[[bytes, Bounds], Any]
ASKED: dict[str, tuple[Read, dict[str, Any]]] = {
    "chat": (chat_request.parse_chat_request, {"messages": [{"role": "user", "content": "a"}]}),
    "completions": (completions_request.parse_completions_request, {"prompt": "a"}),
    "responses": (lambda body, bounds: parse_responses_request(body, bounds, NOTHING_KEPT).chat, {"input": "a"}),
}


def read(face: str, **more: Any) -> Any:
    parse, asked = ASKED[face]
    return parse(json.dumps({"model": "m", **asked, **more}).encode(), Bounds())


GIVEN: dict[str, Any] = {
    "output_config": {"format": {"type": "json_schema"}}, "stop_sequences": ["END"], "mcp_servers": [{"type": "url"}],
}  # fmt: skip


@pytest.mark.parametrize("face", ASKED)
@pytest.mark.parametrize("name", OF_ANTHROPICS_API)
def test_what_only_anthropics_api_has_is_told_its_route(face: str, name: str) -> None:
    with pytest.raises(UnsupportedParameter, match="/v1/messages") as caught:
        read(face, **{name: GIVEN.get(name, "x")})
    assert caught.value.param == name
    nothing = {"output_config": {"effort": "low"}}.get(name)
    for empty in (None, [], nothing):
        read(face, **{name: empty})


@pytest.mark.parametrize("face", ASKED)
@pytest.mark.parametrize("name", ["thinking", "top_k", "betas", "cache_control"])
def test_what_it_has_beside_that_is_named(face: str, name: str) -> None:
    assert name in read(face, **{name: {"a": 1}}).ignored


@pytest.mark.parametrize("face", ASKED)
@pytest.mark.parametrize("value", [{}, [], "", 0, False])
def test_what_nobody_knows_is_named_even_if_it_is_empty(face: str, value: Any) -> None:
    assert read(face, foo=value).ignored == ("foo",)
    assert read(face, foo=None, include=[], metadata={}).ignored == ()


def test_names_come_in_a_steady_order() -> None:
    body = Fields({"zebra": 1, "store": True, "apple": 1, "seed": 3, "n": 1})
    assert name_what_is_ignored(body, IGNORED, chat_request.KNOWN) == ("seed", "store", "zebra", "apple")


def test_obfuscation_is_named_where_it_is_asked_for() -> None:
    body = Fields({"stream": True, "stream_options": {"include_obfuscation": True}})
    assert name_what_is_ignored(body, IGNORED, chat_request.KNOWN) == ("stream_options.include_obfuscation",)
