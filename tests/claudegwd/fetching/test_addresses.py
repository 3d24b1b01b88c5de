"""The allow-list and the addresses that are never connected to."""

import pytest

from claudegwd.fetching.addresses import FetchTarget, is_public, target_of
from claudegwd.openai_api.errors import InvalidRequest

PARAM = "messages[0].content[1].image_url.url"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "100.64.0.1",
        "fec0::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "255.255.255.255",
        "nonsense",
        "",
    ],
)
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_outer_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://images.example.org/a.png?b=c", ["images.example.org"]),
        ("https://images.example.org/a.png?b=c", [".example.org"]),
        ("https://IMAGES.example.org/a.png?b=c", ["*"]),
    ],
)
def test_an_allowed_host_is_a_target(url: str, hosts: list[str]) -> None:
    assert target_of(url, hosts, PARAM) == FetchTarget("https", "images.example.org", 443, "/a.png?b=c")


def test_what_a_browser_would_encode_is_encoded() -> None:
    target = target_of("https://b\u00fccher.example/caf\u00e9 %20.png?a=\u00fc&b=c d", ["xn--bcher-kva.example"], PARAM)
    assert (target.host, target.path) == ("xn--bcher-kva.example", "/caf%C3%A9%20%20.png?a=%C3%BC&b=c%20d")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",  # ".example.org" is for what is below it
        "https://evil-images.example.com/a.png",
        "https://images.example.org:8443/a.png",
        "https://user:pass@images.example.org/a.png",
        "ftp://images.example.org/a.png",
        "file:///etc/passwd",
        "https://[broken/a.png",
        "https:///a.png",
        "https://a..example.org/a.png",
        f"https://{'x' * 64}.example.org/a.png",
        "https://images.example.org.evil.example/a.png",
    ],
)
def test_everything_else_is_refused_by_name(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        target_of(url, [".example.org"], PARAM)
    assert caught.value.param == PARAM
    assert str(caught.value).startswith("cannot fetch")
