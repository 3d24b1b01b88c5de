"""Types and sizes of images by their first bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.request.images import media_type_of, size_of

PNG = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int) -> bytes:
    return PNG + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x06\0\0\0"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height)


def webp(kind: bytes, rest: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + b"\0\0\0\0" + rest


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    made = b"\xff\xd8"
    for marker, content in segments:
        made += struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    return made


FRAME = struct.pack(">BHH", 8, 300, 400)
LOSSLESS = struct.pack("<BI", 0x2F, (400 - 1) | (300 - 1) << 14)
EXTENDED = b"\0\0\0\0" + struct.pack("<HBHB", 399, 0, 299, 0)

KNOWN = [
    (png(400, 300), "image/png", (400, 300)),
    (gif(400, 300), "image/gif", (400, 300)),
    (jpeg((0xE0, b"JFIF\0"), (0xC4, b"\0\0"), (0xC0, FRAME)), "image/jpeg", (400, 300)),
    (jpeg((0xE1, b"\xff\xc0" * 40), (0xC2, FRAME)), "image/jpeg", (400, 300)),
    (b"\xff\xd8\xff" + jpeg((0xDB, b""))[2:] + b"\xff\xff" + jpeg((0xC0, FRAME))[3:], "image/jpeg", (400, 300)),
    (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 400, 300)), "image/webp", (400, 300)),
    (webp(b"VP8L", LOSSLESS), "image/webp", (400, 300)),
    (webp(b"VP8X", EXTENDED), "image/webp", (400, 300)),
]


@pytest.mark.parametrize(("data", "media_type", "size"), KNOWN)
def test_known(data: bytes, media_type: str, size: tuple[int, int]) -> None:
    assert media_type_of(data) == media_type
    assert size_of(data) == size
    assert size_of(data + b"the rest") == size


@pytest.mark.parametrize(("data", "media_type", "size"), KNOWN)
def test_cut_short(data: bytes, media_type: str, size: tuple[int, int]) -> None:
    for length in range(len(data)):
        assert size_of(data[:length]) in (None, size)


@pytest.mark.parametrize("data", [b"", b"BM", b"<svg>", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7", b"GIF88a", b"\xff\xd8"])
def test_no_image(data: bytes) -> None:
    assert media_type_of(data) is None
    assert size_of(data) is None


@given(st.sampled_from([PNG, b"\xff\xd8\xff", b"GIF87a", b"RIFF\0\0\0\0WEBPVP8X"]), st.binary(max_size=60))
def test_no_bytes_raise(head: bytes, rest: bytes) -> None:
    size_of(head + rest)
