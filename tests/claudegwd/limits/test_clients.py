"""Client keys: who comes in, who no longer does, and what that costs."""

import re
import time
from typing import Any

import pytest

from claudegwd.limits.clients import (
    ANONYMOUS,
    CLIENTS_MAX,
    Client,
    ClientBook,
    ClientRefused,
    ClientTotals,
    UnknownClient,
    client_token,
    configured_clients,
    token_digest,
)
from claudegwd.limits.meter import Limits
from claudegwd.openai_api.errors import AuthenticationFailed, RateLimitExceeded

NOW = 1_700_000_000.0


def token(number: int) -> str:
    return client_token(number.to_bytes(32, "big"))


def client(name: str, number: int, **fields: Any) -> Client:
    return Client(name, token_digest(token(number)), **fields)


def book(*clients: Client, default: Limits | None = None) -> ClientBook:
    return ClientBook([(each, ClientTotals()) for each in clients], default=default or Limits())


def refused(subject: ClientBook, text: str, now: float = NOW) -> AuthenticationFailed:
    with pytest.raises(AuthenticationFailed) as caught:
        subject.authenticate(text, now)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")
    assert not text or text not in caught.value.message
    return caught.value


def test_a_key_is_256_bits_with_a_prefix() -> None:
    assert re.fullmatch(r"cgw-[A-Za-z0-9_-]{43}", token(1))
    assert token(1) != token(2)
    with pytest.raises(ValueError, match="32 random bytes"):
        client_token(b"short")


def test_the_digest_is_in_no_repr() -> None:
    assert token_digest(token(1)).hex() not in repr(client("a", 1))
    assert "digest" not in repr(client("a", 1))


def test_who_has_a_key_comes_in() -> None:
    subject = book(client("a", 1), client("b", 2))
    assert subject.authenticate(token(1), NOW).name == "a"
    assert subject.authenticate(token(2), NOW).name == "b"


@pytest.mark.parametrize(
    "text", ["", "cgw-", "sk-false-1", token(3), token(1)[:-1], token(1) + "x", "\ud800", "é" * 99999]
)
def test_who_has_none_does_not(text: str) -> None:
    assert "is unknown" in refused(book(client("a", 1)), text).message


def test_revoked_and_expired_keys_are_told_apart() -> None:
    subject = book(client("a", 1, revoked=NOW - 1), client("b", 2, expires=NOW))
    assert "revoked" in refused(subject, token(1)).message
    assert "expired" in refused(subject, token(2)).message
    assert subject.authenticate(token(2), NOW - 1).name == "b"


def test_models() -> None:
    assert client("a", 1).allows("anything")
    assert client("a", 1, models=("sonnet",)).allows("sonnet")
    assert not client("a", 1, models=("sonnet",)).allows("opus")


def test_limits_of_its_own_and_of_the_configuration() -> None:
    default = Limits(100, 200, 300)
    assert client("a", 1).limits(default) == default
    assert client("a", 1, requests_per_minute=0, tokens_per_minute=7).limits(default) == Limits(0, 7, 300)


def test_create_refuses_by_name() -> None:
    subject = book(client("a", 1, revoked=NOW))
    subject.create(client("b", 2))
    assert subject.authenticate(token(2), NOW).name == "b"
    with pytest.raises(ClientRefused, match="that name is taken"):
        subject.create(client("a", 3))
    with pytest.raises(ClientRefused, match="same key"):
        subject.create(client("c", 2))
    for name in ("", "-a", "a b", "a/b", "../x", "a\n", "é", "x" * 65, "(environment)"):
        with pytest.raises(ClientRefused, match="cannot use this name"):
            subject.create(client(name, 4))


def test_there_is_an_end_to_clients() -> None:
    subject = book(*(client(f"c{n}", n) for n in range(CLIENTS_MAX)))
    with pytest.raises(ClientRefused, match="remove some"):
        subject.create(client("one-more", CLIENTS_MAX))


def test_revoking_ends_what_is_under_way() -> None:
    a, b = client("a", 1), client("b", 2)
    subject = book(a, b)
    ended: list[str] = []
    with subject.under_way(a, lambda: ended.append("a1")):
        with subject.under_way(a, lambda: ended.append("a2")):
            pass
        with subject.under_way(b, lambda: ended.append("b")):
            assert subject.revoke("a", NOW).revoked == NOW
    assert ended == ["a1"]
    assert "revoked" in refused(subject, token(1)).message
    assert subject.revoke("a", NOW + 5).revoked == NOW
    with pytest.raises(UnknownClient, match="'gone'"):
        subject.revoke("gone", NOW)
    assert subject._under_way == {}


def test_removing_forgets() -> None:
    subject = book(client("a", 1))
    subject.remove("a")
    assert "is unknown" in refused(subject, token(1)).message
    subject.create(client("a", 2))


def test_totals() -> None:
    a = client("a", 1)
    subject = book(a)
    subject.used(a, 10, NOW)
    subject.used(a, 5, NOW + 1)
    subject.used(client("gone", 9), 5, NOW)
    subject.used(ANONYMOUS, 5, NOW)
    assert subject.rows() == [(a, ClientTotals(2, 15, NOW + 1))]
    assert subject.take_changed() == [("a", ClientTotals(2, 15, NOW + 1))]
    assert subject.take_changed() == []


def test_limits_outlive_a_reload() -> None:
    a = client("a", 1)
    subject = book(a, default=Limits(requests_per_minute=1))
    subject.meter(a, 0.0).admit(0.0)
    subject.configure([], Limits(requests_per_minute=1))
    with pytest.raises(RateLimitExceeded):
        subject.meter(a, 0.0).admit(0.0)
    subject.configure([], Limits())
    subject.meter(a, 0.0).admit(0.0)


def test_totals_of_api_keys_outlive_a_reload() -> None:
    subject = book()
    subject.configure(configured_clients(["sk-false-1", "sk-false-2"]), Limits())
    subject.used(subject.get("api-key-2"), 5, NOW)
    subject.configure(configured_clients(["sk-false-2", "sk-false-3"]), Limits())
    assert [(client.name, usage.requests, usage.tokens) for client, usage in subject.rows()] == [
        ("api-key-1", 1, 5),
        ("api-key-2", 0, 0),
    ]


def test_without_authentication_there_is_one_meter_for_all() -> None:
    subject = book(default=Limits(requests_per_minute=1))
    subject.meter(ANONYMOUS, 0.0).admit(0.0)
    with pytest.raises(RateLimitExceeded):
        subject.meter(ANONYMOUS, 0.0).admit(0.0)
    refused(subject, "")


def test_api_keys_of_the_older_gateway() -> None:
    subject = book(client("a", 1))
    subject.configure(configured_clients(["sk-false-1", "sk-false-2", "sk-false-1", ""]), Limits())
    assert [each.name for each, _ in subject.rows()] == ["a", "api-key-1", "api-key-2"]
    known = subject.authenticate("sk-false-2", NOW)
    subject.used(known, 5, NOW)
    assert subject.take_changed() == []
    with pytest.raises(UnknownClient, match="change it there and restart claudegwd"):
        subject.revoke("api-key-1", NOW)


def test_an_api_key_that_is_taken_out_ends_at_once() -> None:
    subject = book()
    subject.configure(configured_clients(["sk-false-1", "sk-false-2"]), Limits())
    ended: list[int] = []
    with (
        subject.under_way(subject.authenticate("sk-false-1", NOW), lambda: ended.append(1)),
        subject.under_way(subject.authenticate("sk-false-2", NOW), lambda: ended.append(2)),
    ):
        subject.configure(configured_clients(["sk-false-2"]), Limits())
        assert ended == [1]
        refused(subject, "sk-false-1")
        assert subject.authenticate("sk-false-2", NOW).configured
        subject.configure([], Limits())
    assert ended == [1, 2], "although it had moved to another place in the list meanwhile"


def test_an_api_key_that_was_also_created_stays_created() -> None:
    subject = book(client("a", 1))
    subject.configure(configured_clients([token(1)]), Limits())
    assert subject.authenticate(token(1), NOW).name == "a"
    subject.configure([], Limits())
    assert subject.authenticate(token(1), NOW).name == "a"


def test_authentication_and_limits_take_under_100_us_with_10_000_clients() -> None:
    subject = book(*(client(f"c{n}", n) for n in range(10_000)), default=Limits(10**6, 10**9, 10**6))
    rounds = 2000
    best = float("inf")
    for _ in range(5):  # the best of five: others use this machine as well
        started = time.perf_counter()
        for n in range(rounds):
            known = subject.authenticate(token_texts[n], NOW)
            meter = subject.meter(known, float(n))
            admission = meter.admit(float(n))
            admission.reserve(60, 40, float(n))
            meter.headers(float(n))
            admission.settle(90, float(n))
            admission.end()
            subject.used(known, 90, NOW)
        best = min(best, (time.perf_counter() - started) / rounds)
    assert best < 100e-6


token_texts = [token(n) for n in range(2000)]
