"""What is found in the log of the CLI's client library, and what is not."""

from email.utils import formatdate

import pytest

from claudegwd.claude_cli.client_log import ClientLog, Rejection

NOW = 1_800_000_000.0
STATUS = '"anthropic-ratelimit-unified-status": "%s"'
RESET = '"anthropic-ratelimit-unified-reset": "%s"'
SENDING = b"[Anthropic SDK DEBUG] [log_1] sending request {"
STREAMING = (b"  options: {", b"    body: {", b"      stream: true,", b"    },", b"    stream: true,", b"  },")
IN_JSON = '"content-type": "application/json"'


def told(*headers: str, status: int = 429) -> list[bytes]:
    """As CLI 2.1.330 writes it."""
    return [
        b"[Anthropic SDK DEBUG] [log_1] response error (error; no more retries left) {",
        b'  url: "http://127.0.0.1:1/v1/messages?beta=true",',
        f"  status: {status},".encode(),
        b"  headers: {",
        *(f"    {header},".encode() for header in headers),
        b"  },",
        b"  durationMs: 10,",
        b"}",
    ]


def reset(*headers: str) -> float | None:
    log = ClientLog()
    assert all(log.takes(line) for line in told(*headers))
    return log.reset_at(NOW)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (['"retry-after": "70"'], 70),
        (['"retry-after": "1.5"'], 1.5),
        ([f'"retry-after": "{formatdate(NOW + 30, usegmt=True)}"'], 30),
        ([STATUS % "rejected", RESET % "1800000007"], 7),
        ([RESET % "1800003600", STATUS % "rejected", '"retry-after": "70"'], 3600),
        # The window's end, of a limit that was not the reason.
        ([STATUS % "allowed", RESET % "1800003600"], None),
        (['"retry-after": "soon"'], None),
        (['"retry-after": "-5"'], None),
        (['"retry-after": "nan"'], None),
        (['"content-type": "application/json"'], None),
        ([], None),
    ],
)
def test_the_end_of_a_limit(headers: list[str], wait: float | None) -> None:
    assert reset(*headers) == (None if wait is None else NOW + wait)


def test_the_next_request_begins_anew() -> None:
    log = ClientLog()
    for line in [*told('"retry-after": "70"'), SENDING, b"  method: 1,", b"}", *told('"content-length": "1"')]:
        log.takes(line)
    assert log.reset_at(NOW) is None


def test_a_question_that_was_sent_is_told_once() -> None:
    log = ClientLog()
    for line in (SENDING, *STREAMING):
        log.takes(line)
        assert not log.take_sent()  # not all of it has been read
    log.takes(b"}")
    assert log.take_sent()
    for line in told(status=200):
        log.takes(line)
        assert not log.take_sent()


def test_other_requests_are_no_questions() -> None:
    log = ClientLog()
    for line in (
        SENDING,
        b'  path: "/v1/messages/count_tokens",',
        b"  options: {",
        b"    stream: false,",
        b"  },",
        b"}",
    ):
        assert log.takes(line)
    assert not log.take_sent()
    assert not log.takes(b"    stream: true,")  # somebody else's


@pytest.mark.parametrize(
    ("status", "headers", "rejection"),
    [
        (404, [IN_JSON], Rejection(404, is_json=True)),
        (404, ['"content-type": "application/json; charset=utf-8"'], Rejection(404, is_json=True)),
        (404, ['"content-type": "text/html"'], Rejection(404, is_json=False)),
        (529, [], Rejection(529, is_json=False)),
        (200, [IN_JSON], None),
    ],
)
def test_how_a_request_was_rejected(status: int, headers: list[str], rejection: Rejection | None) -> None:
    log = ClientLog()
    # A request has headers too.
    own_headers = (b"  headers: {", f"    {IN_JSON},".encode(), b"  },", b"}")
    for line in (SENDING, *STREAMING, *own_headers, *told(*headers, status=status)):
        assert log.take_rejection() is None
        log.takes(line)
    assert log.take_rejection() == rejection
    assert log.take_rejection() is None


def test_the_rejection_of_another_request_is_none_of_the_question() -> None:
    log = ClientLog()
    other = SENDING.replace(b"log_1", b"log_2"), b"    stream: false,", b"}"
    rejected = [line.replace(b"log_1", b"log_2") for line in told(status=401)]
    for line in (SENDING, *STREAMING, b"}", *other, *rejected):
        log.takes(line)
    assert log.take_sent()
    assert log.take_rejection() is None


def test_lines_of_others_are_not_taken() -> None:
    log = ClientLog()
    assert not log.takes(b'    "retry-after": "70",')
    assert not log.takes(b"}")
    assert log.takes(b"[Anthropic SDK INFO] [log_1] post http://127.0.0.1:1 failed with status 429 in 9ms")
    assert not log.takes(b'    "retry-after": "70",')
    assert log.reset_at(NOW) is None
