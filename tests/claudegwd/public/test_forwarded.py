"""Whose request it is: proxies of ours are believed, and nobody else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.public.forwarded import MAX_CHARACTERS, client_address

PROXY = "10.0.0.5"
OURS = ("10.0.0.0/24", "fd00::/8")


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "client"),
    [
        (["192.0.2.1"], [], "192.0.2.1"),
        (["192.0.2.1:4711"], [], "192.0.2.1"),
        (["2001:db8::1"], [], "2001:db8::1"),
        (["[2001:db8::1]:443"], [], "2001:db8::1"),
        (["::ffff:192.0.2.1"], [], "192.0.2.1"),
        # What stands before the last foreign one may be made up, on the same line or on one of its own.
        (["6.6.6.6, 192.0.2.1"], [], "192.0.2.1"),
        (["6.6.6.6", "192.0.2.1"], [], "192.0.2.1"),
        (["192.0.2.1, 10.0.0.7, fd00::1"], [], "192.0.2.1"),
        (["10.0.0.9"], [], "10.0.0.9"),
        (["nonsense, 10.0.0.9"], [], "10.0.0.9"),
        (["192.0.2.1, nonsense"], [], PROXY),
        (["fe80::1%sk-false-1"], [], "fe80::1"),
        ([""], [], PROXY),
        ([], [], PROXY),
        ([], ["for=192.0.2.1"], "192.0.2.1"),
        ([], ["for=6.6.6.6, For=192.0.2.1;proto=https;by=10.0.0.5"], "192.0.2.1"),
        ([], ['proto=https; for="[2001:db8::17]:4711"'], "2001:db8::17"),
        ([], ['for="192.0.2.1:80"'], "192.0.2.1"),
        ([], ["for=_hidden"], PROXY),
        ([], ["for=unknown"], PROXY),
        ([], ["proto=https"], PROXY),
        (["192.0.2.1"], ["for=192.0.2.1"], "192.0.2.1"),
        ([], ["for=6.6.6.6", "for=192.0.2.1, for=10.0.0.7"], "192.0.2.1"),
        ([], ["proto=https;FOR=192.0.2.1 ; by=_x"], "192.0.2.1"),
        # A Host that a proxy quotes is the client's own text, whatever it looks like.
        ([], ['for=192.0.2.1;host="a, for=6.6.6.6"'], "192.0.2.1"),
        ([], ['host="a;for=6.6.6.6";for=192.0.2.1'], "192.0.2.1"),
        ([], ['host="a\\";for=6.6.6.6";for=192.0.2.1'], "192.0.2.1"),
        # Nor does a quotation mark that a client has left open swallow what our proxy has added.
        ([], ['for=6.6.6.6;host=", for=192.0.2.1'], PROXY),
        ([], ['for=6.6.6.6;host=", for="[2001:db8::17]"'], PROXY),
        ([], ['for=6.6.6.6;host="', "for=192.0.2.1"], "192.0.2.1"),
        ([], ["for=6.6.6.6;for=192.0.2.1"], PROXY),
        ([], ["for=192.0.2.1, "], PROXY),
        ([], [""], PROXY),
        # Our proxy sets one of them; the client has made the other one up, and nobody knows which.
        (["192.0.2.1"], ["for=6.6.6.6"], PROXY),
    ],
)
def test_behind_a_proxy_of_ours(forwarded_for: list[str], forwarded: list[str], client: str) -> None:
    assert client_address(PROXY, forwarded_for, forwarded, OURS) == client


@pytest.mark.parametrize("trusted", [(), OURS])
def test_anybody_else_is_not_believed(trusted: tuple[str, ...]) -> None:
    assert client_address("192.0.2.9", ["6.6.6.6"], ["for=6.6.6.6"], trusted) == "192.0.2.9"


def test_without_the_setting_no_proxy_is_believed() -> None:
    assert client_address(PROXY, ["6.6.6.6"], [], ()) == PROXY


def test_a_single_address_is_a_network_of_one() -> None:
    assert client_address("127.0.0.1", ["192.0.2.1"], [], ("127.0.0.1",)) == "192.0.2.1"
    assert client_address("127.0.0.2", ["192.0.2.1"], [], ("127.0.0.1",)) == "127.0.0.2"


def test_who_has_no_address() -> None:
    assert client_address("", ["6.6.6.6"], [], OURS) is None


@given(st.lists(st.text()), st.lists(st.text()))
def test_whatever_comes_is_answered_by_an_address(forwarded_for: list[str], forwarded: list[str]) -> None:
    found = client_address(PROXY, forwarded_for, forwarded, OURS)
    assert found is not None
    assert client_address(found, [], [], ()) == found


def test_a_proxy_that_connects_by_ipv4_to_an_address_of_both_kinds_is_ours_all_the_same() -> None:
    assert client_address("::ffff:10.0.0.5", ["192.0.2.1"], [], OURS) == "192.0.2.1"
    assert client_address("fd00::7", ["2001:db8::1"], [], OURS) == "2001:db8::1"
    assert client_address("2001:db8::9", ["2001:db8::1"], [], OURS) == "2001:db8::9"


def test_a_list_without_end_costs_no_more_than_its_last_hops() -> None:
    assert client_address(PROXY, ["6.6.6.6, " + ", ".join(["10.0.0.7"] * 1000)], [], OURS) == "10.0.0.7"
    assert client_address(PROXY, [], ["for=6.6.6.6, " * 1000 + "for=192.0.2.1"], OURS) == PROXY


def test_spaces_are_read_once() -> None:
    line = ",".ljust(MAX_CHARACTERS - 1) + '"'
    began = time.process_time()
    assert client_address(PROXY, [], [line] * 64, OURS) == PROXY
    assert time.process_time() - began < 1  # a few milliseconds; read once for each space, seven seconds
