"""What an upstream key shows of itself, and what it hands to the CLI."""

import pytest

from claudegwd.keys.key import KeyKind, UpstreamKey, digest_of


def test_the_token_is_in_no_repr() -> None:
    key = UpstreamKey("primary", "sk-false-1-abcdefgh")
    assert "sk-false" not in repr(key)
    assert "sk-false" not in f"{[key]} {key!s}"


def test_all_three_variables_are_always_set() -> None:
    token = UpstreamKey("a", "sk-false-1", "https://relay.example/x")
    key = UpstreamKey("b", "sk-false-2", kind=KeyKind.API_KEY)
    assert token.environment() == {
        "ANTHROPIC_AUTH_TOKEN": "sk-false-1",
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_BASE_URL": "https://relay.example/x",
    }
    assert key.environment() == {
        "ANTHROPIC_AUTH_TOKEN": "",
        "ANTHROPIC_API_KEY": "sk-false-2",
        "ANTHROPIC_BASE_URL": "",
    }


@pytest.mark.parametrize(
    ("key", "attributes"),
    [
        (UpstreamKey("a", "sk-false-1"), False),
        (UpstreamKey("a", "sk-false-1", "https://api.anthropic.com/"), False),
        (UpstreamKey("a", "sk-false-1", "https://relay.example"), True),
        (UpstreamKey("a", "sk-ant-oat01-false-1"), True),
        (UpstreamKey("a", "sk-false-1", "https://relay.example", attribution=False), False),
        (UpstreamKey("a", "sk-false-1", attribution=True), True),
    ],
)
def test_whether_requests_say_whom_to_bill(key: UpstreamKey, attributes: bool) -> None:
    assert key.for_worker() == {**key.environment(), "CLAUDE_CODE_ATTRIBUTION_HEADER": "1" if attributes else "0"}


def test_another_host_or_kind_is_another_digest() -> None:
    digests = {
        UpstreamKey("a", "sk-false-1").digest,
        UpstreamKey("a", "sk-false-2").digest,
        UpstreamKey("a", "sk-false-1", "https://relay.example").digest,
        UpstreamKey("a", "sk-false-1", kind=KeyKind.API_KEY).digest,
    }
    assert len(digests) == 4
    assert UpstreamKey("a", "sk-false-1").digest == UpstreamKey("b", "sk-false-1").digest


def test_the_tail_of_a_short_token_is_not_shown() -> None:
    assert UpstreamKey("a", "sk-false-1").tail == ""
    assert UpstreamKey("a", "sk-false-0123456789").tail == "6789"


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("base_url", [None, "https://relay.example.org"])
def test_a_key_is_known_by_its_environment(kind: KeyKind, base_url: str | None) -> None:
    key = UpstreamKey("a", "sk-false-1", base_url, kind)
    assert digest_of(key.for_worker()) == key.digest
