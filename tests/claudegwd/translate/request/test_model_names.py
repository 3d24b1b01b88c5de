"""The message for a model that is not offered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.request.model_names import MAX_SHOWN, no_such_model

OFFERED = ("opus", "claude-opus-4-8", "sonnet", "claude-sonnet-5", "haiku", "claude-3-5-haiku-20241022")


@pytest.mark.parametrize(
    ("asked", "neighbour"),
    [
        ("claude-sonet-5", "claude-sonnet-5"),
        ("Claude-Opus-4.8", "claude-opus-4-8"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("Sonnet", "sonnet"),
        ("gpt-4o", "opus"),  # nothing is near: those that are listed first
    ],
)
def test_it_names_the_model_and_its_neighbours(asked: str, neighbour: str) -> None:
    message = no_such_model(asked, OFFERED)
    assert message.startswith(f'cannot find the model "{asked}": ')
    assert neighbour in message.partition(": ")[2]


def test_only_what_the_client_may_use_is_named() -> None:
    assert "opus" not in no_such_model("claude-sonnet", ["haiku", "sonnet"])
    assert "may not use any model" in no_such_model("opus", [])


@given(st.text(max_size=300))
def test_any_name_makes_one_bounded_line(name: str) -> None:
    message = no_such_model(name, OFFERED)
    assert message.isprintable()
    shown = message.split('"')
    assert len(shown) == 3
    assert len(shown[1]) <= MAX_SHOWN
