"""What the upstream's search has of what OpenAI's clients say."""

from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.web_search import WebSearch, is_search, read_search_tool, read_web_search


def read(options: Any) -> WebSearch | None:
    return read_web_search(Fields({"web_search_options": options}))


def test_absent_null_and_empty() -> None:
    assert read_web_search(Fields({})) is None
    assert read(None) is None
    assert read({}) == WebSearch()


def test_where_the_user_is_and_what_has_no_counterpart() -> None:
    where = {"type": "approximate", "approximate": {"country": "GB", "city": "London", "region": None}}
    wanted = {"user_location": where, "search_context_size": "high"}
    assert read(wanted) == WebSearch(
        location={"city": "London", "country": "GB"}, ignored=("web_search_options.search_context_size",)
    )
    assert read({"search_context_size": "medium"}) == WebSearch()  # what it is without a word


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


TOOL = {"type": "web_search"}


def tool(**fields: Any) -> WebSearch | None:
    return read_search_tool(Fields({**TOOL, **fields}, "tools[0]"), Bounds())


@pytest.mark.parametrize(
    ("kind", "searches"),
    [
        ("web_search", True),
        ("web_search_preview", True),
        ("web_search_2025_08_26", True),
        ("web_search_preview_2025_03_11", True),
        ("web_search_20250305", False),
        ("file_search", False),
        ("my_web_search", False),
    ],
)
def test_names_of_the_tool(kind: str, searches: bool) -> None:
    assert is_search(kind) is searches


def test_what_a_tool_says() -> None:
    found = tool(
        user_location={"type": "approximate", "city": "Bonn", "region": None},
        filters={"allowed_domains": ["a.example"]},
        search_context_size="low",
        search_content_types=["image"],
        indexed_web_access=None,
    )
    assert found == WebSearch(
        param="tools",
        location={"city": "Bonn"},
        domains={"allowed_domains": ["a.example"]},
        offered=True,
        ignored=("tools.web_search.search_context_size", "tools.web_search.search_content_types"),
    )
    assert tool(external_web_access=False) is None
    assert tool(external_web_access=True) == WebSearch(param="tools", offered=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"filters": {"allowed_domains": [5]}}, "tools[0].filters.allowed_domains[0]"),
        ({"filters": {"allowed_domains": [""]}}, "tools[0].filters.allowed_domains[0]"),
        ({"filters": {"allowed_domains": ["a"], "blocked_domains": ["b"]}}, "tools[0].filters"),
        ({"filters": 5}, "tools[0].filters"),
        ({"user_location": {"type": "exact"}}, "tools[0].user_location.type"),
        ({"search_context_size": "huge"}, "tools[0].search_context_size"),
        ({"external_web_access": "no"}, "tools[0].external_web_access"),
    ],
)
def test_what_a_tool_cannot_say(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        tool(**fields)
    assert refused.value.param == param
