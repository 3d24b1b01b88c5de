"""A request of the Messages API: passed on as it came, refused by name, or accepted and named."""

from typing import Any

import pytest

from claudegwd.messages_api import parameters
from claudegwd.messages_api.made import SIGNATURE
from claudegwd.messages_api.request import MessagesRequest, check_version, read_messages_request
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, InvalidRequest
from claudegwd.openai_api.fields import Fields

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}


def read(header: str = "", *, counts: bool = False, **more: Any) -> MessagesRequest:
    return read_messages_request(Fields({**ASKED, **more}), header, Bounds(), counts=counts)


def test_what_the_upstream_knows_goes_to_it_as_it_came() -> None:
    more = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "top_k": 5,
        "metadata": {"user_id": "u"},
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
    }
    wanted = read(stream=True, **more)
    assert wanted.body == {"max_tokens": 5, "messages": ASKED["messages"], **more}
    assert (wanted.model, wanted.stream, wanted.system, wanted.max_tokens) == ("m", True, "s", 5)
    assert wanted.ignored == ()


def test_what_a_workspace_showed_as_thinking_does_not_go_up_again() -> None:
    shown = {"type": "thinking", "thinking": "Read a.py", "signature": SIGNATURE}
    said = {"type": "text", "text": "b"}
    messages = [*ASKED["messages"], {"role": "assistant", "content": [shown, said]}]
    wanted = read(messages=messages)
    assert wanted.body["messages"] == wanted.messages == [messages[0], {"role": "assistant", "content": [said]}]


def test_nothing_but_what_a_workspace_showed_is_no_request() -> None:
    shown = {"type": "thinking", "thinking": "Read a.py", "signature": SIGNATURE}
    with pytest.raises(InvalidRequest) as raised:
        read(messages=[{"role": "assistant", "content": [shown]}])
    assert raised.value.param == "messages"


def test_what_nobody_knows_is_named() -> None:
    wanted = read(of_next_year=1)
    assert wanted.ignored == ("of_next_year",)
    assert "of_next_year" not in wanted.body


@pytest.mark.parametrize("name", [*parameters.REFUSED, *parameters.OPENAI_ONLY])
def test_what_is_refused_is_refused_by_name(name: str) -> None:
    with pytest.raises(CallerError) as raised:
        read(**{name: {"a": 1}})
    assert raised.value.param == name


@pytest.mark.parametrize(
    "more",
    [
        {"tool_choice": "auto"},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"messages": [{"role": "developer", "content": "a"}]},
        {"messages": [{"role": "tool", "content": "a", "tool_call_id": "c"}]},
        {"messages": [{"role": "assistant", "content": "a", "tool_calls": []}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        *({name: {"a": 1}} for name in parameters.OPENAI_ONLY),
    ],
)
def test_a_request_of_openais_is_told_its_route(more: dict[str, Any]) -> None:
    with pytest.raises(CallerError, match="/v1/chat/completions"):
        read(**more)


def test_no_field_has_two_fates() -> None:
    assert not parameters.KNOWN & parameters.REFUSED.keys()
    assert not (parameters.KNOWN | parameters.REFUSED.keys()) & set(parameters.OPENAI_ONLY)
    assert {*parameters.NOT_BY_TRANSCRIPT, *parameters.IGNORED_BY_TRANSCRIPT} <= parameters.PASSED_ON


def test_betas_of_the_header_and_of_the_body() -> None:
    assert read("a-2025-01-01, b ,a-2025-01-01", betas=["c"]).betas == ("a-2025-01-01", "b", "c")


@pytest.mark.parametrize("betas", ["a b", "a\r\nx: y", "é", "x" * 129, ",".join(f"b{n}" for n in range(65))])
def test_betas_that_cannot_be_a_header(betas: str) -> None:
    with pytest.raises(CallerError) as raised:
        read(betas)
    assert raised.value.param == "anthropic-beta"


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("model", None, "model"),
        ("max_tokens", None, "max_tokens"),
        ("max_tokens", 0, "max_tokens"),
        ("temperature", 1.1, "temperature"),
        ("top_k", -1, "top_k"),
        ("thinking", {}, "thinking.type"),
        ("tool_choice", "auto", "tool_choice"),
        ("stop_sequences", ["a", 1], "stop_sequences[1]"),
        ("metadata", "u", "metadata"),
        ("system", [{"type": "text", "text": "a"}, {"type": "search_result", "content": []}], "system[1].type"),
        ("stream", "yes", "stream"),
    ],
)
def test_each_fault_has_its_path(field: str, value: Any, path: str) -> None:
    with pytest.raises(CallerError) as raised:
        read(**{field: value})
    assert raised.value.param == path


def test_who_only_counts_names_no_bound() -> None:
    assert read(counts=True, max_tokens=None).max_tokens is None


def test_what_is_nested_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"a": deep}
    with pytest.raises(CallerError):
        read(metadata=deep)


def test_a_version_in_whose_shape_the_upstream_does_not_answer_is_named() -> None:
    named = {version: check_version(version) for version in parameters.VERSIONS}
    assert named == {"2023-06-01": (), "2026-10-21": ("anthropic-version",)}


@pytest.mark.parametrize("version", [None, "2023-01-01", ""])
def test_versions_that_are_not_spoken(version: str | None) -> None:
    with pytest.raises(InvalidRequest, match="anthropic-version"):
        check_version(version)
