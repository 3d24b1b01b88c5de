from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.limits.budget import read_budgets
from claudegwd.limits.clients import Client, token_digest
from claudegwd.limits.records import ClientRecord, client_of, decode_record, encode_record, later, record_of

FULL = Client(
    "ann", token_digest("cgw-false-1"), ("sonnet",), 5, 6, 7, 1.0, 2.0, 3.0, "ann#1", read_budgets("20usd/month"),
    ("web_search",), changed=4.0,
)  # fmt: skip
STATES = st.builds(
    lambda changed, rpm, revoked: replace(FULL, changed=changed, requests_per_minute=rpm, revoked=revoked),
    st.integers(1, 3).map(float),
    st.integers(0, 2),
    st.none() | st.integers(1, 3).map(float),
)


@pytest.mark.parametrize("client", [FULL, Client("bob", token_digest("cgw-false-2"), identity="bob#2")])
def test_a_client_comes_whole_out_of_its_record(client: Client) -> None:
    record = record_of(client)
    read = decode_record(encode_record(record))
    assert read == record
    assert client_of(read) == client


@given(STATES, STATES, STATES)
def test_all_machines_come_to_the_same_in_whatever_order_they_hear(a: Client, b: Client, c: Client) -> None:
    assert later(a, b) == later(b, a)
    assert later(later(a, b), c) == later(a, later(b, c))
    assert later(a, a) == a


@given(STATES, STATES)
def test_the_later_word_holds_and_revoked_is_for_good(a: Client, b: Client) -> None:
    found = later(a, b)
    assert found.changed == max(a.changed, b.changed)
    assert (found.revoked is None) == (a.revoked is None and b.revoked is None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        encode_record(ClientRecord("x", "no name", 1.0, digest=bytes(32))),
        encode_record(ClientRecord("x", "x", 1.0, digest=b"short")),
        encode_record(ClientRecord("x", "x", 1.0, digest=bytes(32), budgets="much")),
    ],
)
def test_what_is_no_record(data: bytes) -> None:
    assert decode_record(data) is None
