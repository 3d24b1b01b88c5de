"""What of web_search_options the upstream's search has."""

from typing import Any

import pytest

from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.web_search import WebSearch, read_web_search


def read(options: Any) -> WebSearch | None:
    return read_web_search(Fields({"web_search_options": options}))


def test_absent_null_and_empty() -> None:
    assert read_web_search(Fields({})) is None
    assert read(None) is None
    assert read({}) == WebSearch({})


def test_where_the_user_is_and_what_has_no_counterpart() -> None:
    where = {"type": "approximate", "approximate": {"country": "GB", "city": "London", "region": None}}
    wanted = {"user_location": where, "search_context_size": "high"}
    assert read(wanted) == WebSearch({"city": "London", "country": "GB"}, ("web_search_options.search_context_size",))
    assert read({"search_context_size": "medium"}) == WebSearch({})  # what it is without a word


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ("yes", "web_search_options"),
        ({"search_context_size": "huge"}, "web_search_options.search_context_size"),
        ({"user_location": {"type": "exact"}}, "web_search_options.user_location.type"),
        (
            {"user_location": {"type": "approximate", "approximate": {"city": 5}}},
            "web_search_options.user_location.approximate.city",
        ),
    ],
)
def test_faults_have_their_path(options: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(options)
    assert raised.value.param == path
