"""Any cut of the same bytes gives the same lines."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.claude_cli.lines import MAX_LINE_BYTES, LineDecoder, LineTooLongError

CASES = [
    (b"", [], 0),
    (b"\n", [], 0),
    (b" \r\n\t\n", [], 0),
    (b"{}\n", [b"{}"], 0),
    (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], 0),
    (b"\n\n{}\n\n", [b"{}"], 0),
    (b"{}\r\n", [b"{}\r"], 0),  # JSON readers skip the carriage return
    (b'{}\n{"torn', [b"{}"], 6),
    ('{"t":"é\N{GRINNING FACE}"}\n'.encode(), ['{"t":"é\N{GRINNING FACE}"}'.encode()], 0),
    (b"\x00\xff\n", [b"\x00\xff"], 0),
]


@pytest.mark.parametrize(("data", "lines", "unfinished"), CASES)
def test_whole(data: bytes, lines: list[bytes], unfinished: int) -> None:
    decoder = LineDecoder()
    assert decoder.feed(data) == lines
    assert decoder.unfinished == unfinished


@pytest.mark.parametrize(("data", "lines", "unfinished"), CASES)
def test_byte_by_byte(data: bytes, lines: list[bytes], unfinished: int) -> None:
    decoder = LineDecoder()
    assert [line for byte in data for line in decoder.feed(bytes([byte]))] == lines
    assert decoder.unfinished == unfinished


@pytest.mark.parametrize(("data", "lines", "unfinished"), CASES)
def test_with_trailing_data(data: bytes, lines: list[bytes], unfinished: int) -> None:
    decoder = LineDecoder()
    torn = data.rpartition(b"\n")[2]
    assert decoder.feed(data + b"rest") == lines
    assert decoder.unfinished == unfinished + len(b"rest")
    assert decoder.feed(b"\n") == [torn + b"rest"]
    assert decoder.unfinished == 0


def test_a_line_of_the_bound_passes_and_one_more_byte_does_not() -> None:
    assert LineDecoder(4).feed(b"1234\n") == [b"1234"]
    assert LineDecoder(4).feed(b"1234") == []
    for data in (b"12345\n", b"12345", b"1\n12345"):
        with pytest.raises(LineTooLongError, match="more than 4 bytes"):
            LineDecoder(4).feed(data)


def test_whole_lines_before_one_that_is_too_long_are_not_lost() -> None:
    for data in (b"1\n\n2\n12345\n3\n", b"1\n\n2\n12345"):
        with pytest.raises(LineTooLongError) as caught:
            LineDecoder(4).feed(data)
        assert caught.value.lines == [b"1", b"2"]


def test_the_bound_holds_what_the_cli_writes() -> None:
    # A tool result of 500,000 characters, each escaped in six bytes, comes back on one line.
    assert len(LineDecoder().feed(b'"' + rb"\u0000" * 500_000 + b'"\n')[0]) < MAX_LINE_BYTES


@given(st.lists(st.binary(max_size=12)).map(b"\n".join), st.data())
def test_any_cut_gives_the_same_lines(data: bytes, choose: st.DataObject) -> None:
    places = sorted(choose.draw(st.lists(st.integers(0, len(data)))))
    pieces = [data[start:end] for start, end in pairwise([0, *places, len(data)])]
    assert taken(pieces) == taken([data])


def taken(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The lines, with a bound that some of them pass, and whether it was."""
    decoder = LineDecoder(8)
    lines: list[bytes] = []
    for piece in pieces:
        try:
            lines += decoder.feed(piece)
        except LineTooLongError as error:
            return [*lines, *error.lines], True
    return lines, False
