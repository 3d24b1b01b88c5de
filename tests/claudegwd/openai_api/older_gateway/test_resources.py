"""The older gateway's requests and pages."""

import json
from datetime import datetime

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.older_gateway.resources import (
    MAX_ID_CHARS,
    Page,
    ProjectWanted,
    SessionWanted,
    checked_id,
    moment,
    page_body,
    parse_page,
    parse_project,
    parse_session,
)


def test_a_project_needs_a_name_only() -> None:
    assert parse_project(b'{"name": "a", "unknown": 1}', Bounds()) == ProjectWanted("a", None, None)
    assert parse_project(b'{"name": "a", "description": "d", "path": "../../etc"}', Bounds()).path == "../../etc"


def test_a_session_needs_nothing() -> None:
    assert parse_session(b"{}", Bounds()) == SessionWanted(None, None, None, None)
    body = b'{"project_id": "p", "title": "t", "model": "m", "system_prompt": "s"}'
    assert parse_session(body, Bounds()) == SessionWanted("p", "t", "m", "s")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 1}, "name"),
        ({"name": "a" * 257}, "name"),
        ({"name": "a", "description": []}, "description"),
        ({"name": "a", "path": "a" * 4097}, "path"),
    ],
)
def test_a_wrong_project_names_the_field(body: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_project(json.dumps(body).encode(), Bounds())
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"project_id": "a\nb"}, "project_id"),
        ({"project_id": "a" * (MAX_ID_CHARS + 1)}, "project_id"),
        ({"title": {}}, "title"),
        ({"model": "m" * 257}, "model"),
        ({"system_prompt": "s" * 32_769}, "system_prompt"),
    ],
)
def test_a_wrong_session_names_the_field(body: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_session(json.dumps(body).encode(), Bounds())
    assert refused.value.param == param


def test_an_empty_id_is_none() -> None:
    assert checked_id("session_id", "") is None
    assert checked_id("session_id", None) is None
    assert checked_id("session_id", "ünïcode 1") == "ünïcode 1"


def test_pages() -> None:
    assert parse_page({}) == Page(1, 20)
    assert parse_page({"page": "3", "per_page": "100"}).offset == 200
    body = page_body([{"id": "a"}], Page(2, 2), 5)
    assert body["data"] == [{"id": "a"}]
    assert body["pagination"] == {
        "page": 2, "per_page": 2, "total_items": 5, "total_pages": 3, "has_next": True, "has_prev": True,
    }  # fmt: skip
    empty = page_body([], Page(1, 20), 0)["pagination"]
    assert (empty["total_pages"], empty["has_next"], empty["has_prev"]) == (0, False, False)


@pytest.mark.parametrize(
    "query",
    [{"page": "0"}, {"page": "-1"}, {"page": "a"}, {"page": "1.5"}, {"per_page": "101"}, {"per_page": "٣"},
     {"page": "9" * 100_000}],
)  # fmt: skip
def test_a_page_that_cannot_be(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_page(query)
    assert refused.value.param in query


def test_times_are_iso_and_say_their_zone() -> None:
    assert moment(1_700_000_000.5) == "2023-11-14T22:13:20.500000+00:00"
    assert datetime.fromisoformat(moment(1.0)).timestamp() == 1.0
