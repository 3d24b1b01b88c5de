"""Every parameter of OpenAI's description has a place: honoured, refused or ignored, in one of them only."""

from claudegwd.openai_api.chat import request as chat_request
from claudegwd.openai_api.completions import request as completions_request
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.parameters import IGNORED, REFUSED, name_what_is_ignored
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


def test_names_come_in_a_steady_order() -> None:
    body = Fields({"zebra": 1, "store": True, "apple": 1, "seed": 3, "n": 1})
    assert name_what_is_ignored(body, IGNORED, chat_request.KNOWN) == ("seed", "store", "zebra", "apple")


def test_obfuscation_is_named_where_it_is_asked_for() -> None:
    body = Fields({"stream": True, "stream_options": {"include_obfuscation": True}})
    assert name_what_is_ignored(body, IGNORED, chat_request.KNOWN) == ("stream_options.include_obfuscation",)
