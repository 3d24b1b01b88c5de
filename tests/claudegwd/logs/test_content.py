"""Content in the log, where somebody has asked for it."""

from __future__ import annotations

import io

import pytest

from claudegwd.config.schema import LogConfig
from claudegwd.logs import LogRing, log_content, setup
from claudegwd.logs.entry import MAX_TEXT


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b'{"a": "b"}', 'asked: {"a": "b"} request_id=req_1 bytes=10'),
        (b"sk-false-0123456789", "asked: [redacted] request_id=req_1 bytes=19"),
        (b"a\nb\x1b[2J\xff", "asked: a\\u000ab\\u001b[2J\ufffd request_id=req_1 bytes=8"),
    ],
)
def test_it_is_one_line_without_tokens(content: bytes, shown: str) -> None:
    assert shown in logged(content)


def test_its_length_is_bounded() -> None:
    assert len(logged(b"x" * 10**6)) < MAX_TEXT + 200


def logged(content: bytes) -> str:
    stream = io.StringIO()
    setup(LogConfig(format="console"), {}, LogRing(), stream=stream)
    log_content("asked", content, "req_1")
    return stream.getvalue()
