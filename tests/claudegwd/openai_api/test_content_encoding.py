"""Compressed bodies: the same in any cut, and never more than the bounds."""

import gzip
import sys
import zlib
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.content_encoding import (
    ENCODINGS,
    MAX_BYTES_OF_ANY_RATIO,
    MAX_RATIO,
    MAX_ZSTD_WINDOW,
    Unpacker,
    encoding_of,
)
from claudegwd.openai_api.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST = 32 * 1024 * 1024


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its head": ("deflate", raw),
    "zstd": ("zstd", zstd.compress),
}
EVERY = pytest.mark.parametrize("packer", PACKERS)


def unpacked(encoding: str, *pieces: bytes, most: int = MOST) -> bytes:
    unpacker = Unpacker(encoding, most)
    made = b"".join(map(unpacker.feed, pieces))
    unpacker.end()
    return made


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=4), packer=st.sampled_from([*PACKERS]))
def test_any_cut(data: bytes, cuts: list[int], packer: str) -> None:
    encoding, pack = PACKERS[packer]
    packed = pack(data)
    edges = [0, *sorted(cuts), len(packed)]
    assert unpacked(encoding, *(packed[a:b] for a, b in pairwise(edges))) == data


@EVERY
def test_a_body_may_have_as_much_as_the_bound_and_no_more(packer: str) -> None:
    encoding, pack = PACKERS[packer]
    data = Random(1).randbytes(1000)
    assert unpacked(encoding, pack(data), most=1000) == data
    with pytest.raises(BodyTooLarge):
        unpacked(encoding, pack(data), most=999)


@EVERY
def test_what_is_made_to_be_large_is_given_up_early(packer: str) -> None:
    encoding, pack = PACKERS[packer]
    small = b" " * MAX_BYTES_OF_ANY_RATIO
    assert unpacked(encoding, pack(small)) == small  # however well it packs
    packed = pack(b" " * (64 * 1024 * 1024))
    pieces = (packed[start : start + 1024] for start in range(0, len(packed), 1024))
    made: list[bytes] = []
    with pytest.raises(BodyTooLarge):
        made.extend(map(Unpacker(encoding, 1024 * MOST).feed, pieces))
    assert sum(map(len, made)) <= max(MAX_BYTES_OF_ANY_RATIO, MAX_RATIO * len(packed))


def test_the_longest_conversations_stay_below_the_ratio() -> None:
    # The same file read again and again, which is as repetitive as an agent gets.
    page = Random(2).randbytes(60_000).hex().encode()
    body = page * 40
    assert unpacked("gzip", gzip.compress(body)) == body
    assert unpacked("zstd", zstd.compress(body)) == body


def test_a_zstd_window_is_bounded() -> None:
    levels = {zstd.CompressionParameter.window_log: MAX_ZSTD_WINDOW + 1}
    data = Random(3).randbytes(1 << (MAX_ZSTD_WINDOW + 1))
    packer = zstd.ZstdCompressor(options=levels)
    packed = packer.compress(data[:100], mode=packer.FLUSH_BLOCK)  # of unknown size, so the window is the whole claim
    with pytest.raises(InvalidRequest):
        Unpacker("zstd", MOST).feed(packed)


@EVERY
@pytest.mark.parametrize("wrong", ["cut", "followed", "plain", "empty"])
def test_what_it_is_not_is_named(packer: str, wrong: str) -> None:
    encoding, pack = PACKERS[packer]
    packed = pack(b'{"a": 1}' * 10)
    pieces = {
        "cut": [packed[:-3]], "followed": [packed, b"x"], "plain": [b'{"a": 1}'], "empty": [b""],
    }[wrong]  # fmt: skip
    with pytest.raises(InvalidRequest, match=encoding):
        unpacked(encoding, *pieces)


def test_names() -> None:
    assert [encoding_of(name) for name in ("", "Identity", "GZIP", "x-gzip", " zstd ")] == [
        "identity", "identity", "gzip", "gzip", "zstd",
    ]  # fmt: skip
    for name in ("br", "gzip, gzip", "gzip, identity", "compress", "\x00"):
        with pytest.raises(UnsupportedMediaType) as caught:
            encoding_of(name)
        assert caught.value.headers() == {"accept-encoding": ", ".join(ENCODINGS)}
