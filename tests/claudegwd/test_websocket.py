"""Which request heads ask for the one WebSocket that there is. What is said on it: tests/e2e/test_websocket.py."""

import pytest

from claudegwd.websocket import asks_for_websocket

HEADERS = {
    b"host": b"here", b"connection": b"keep-alive, Upgrade", b"upgrade": b"WebSocket", b"sec-websocket-key": b"k",
}  # fmt: skip


def asks(method: bytes = b"GET", target: bytes = b"/v1/responses", version: bytes = b"1.1", **more: bytes) -> bool:
    headers = {**HEADERS, **{name.replace("_", "-").encode(): value for name, value in more.items()}}
    return asks_for_websocket(method, target, version, [(name, value) for name, value in headers.items() if value])


@pytest.mark.parametrize("target", [b"/v1/responses", b"/v1/responses/", b"/v1/responses?model=m"])
def test_the_route_has_one(target: bytes) -> None:
    assert asks(target=target)


@pytest.mark.parametrize("target", [b"/", b"/v1/responses/resp_1", b"/v1/chat/completions", b"/v1/responses/compact"])
def test_no_other_has(target: bytes) -> None:
    assert not asks(target=target)


def test_whatever_is_not_whole_is_a_request_as_any_other() -> None:
    assert not asks(method=b"POST")
    assert not asks(version=b"1.0")
    assert not asks(upgrade=b"h2c")
    assert not asks(upgrade=b"")
    assert not asks(connection=b"keep-alive")
    assert not asks(sec_websocket_key=b"")
    assert not asks(content_length=b"5")
    assert not asks(transfer_encoding=b"chunked")
