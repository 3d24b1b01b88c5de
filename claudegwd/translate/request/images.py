"""An image's type and size, from its first bytes: nothing is decoded, so decompression bombs have no effect."""

import struct
from collections.abc import Iterator

# The limits of the Messages API. An image that exceeds them would be rejected only after the whole conversation was
# sent.
MAX_IMAGE_BYTES = 10 * 1024 * 1024
MAX_SIDE_PIXELS = 8000
# All images of a request together. We decode none, but the CLI does (2.1.330 shrinks those of over 2,000 pixels a
# side): a PNG of 8 kB can have 64 million pixels, which cost it 300 MB and a second. 100 screenshots fit.
MAX_REQUEST_PIXELS = 400_000_000

_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # the frame headers among the markers
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


def media_type_of(data: bytes) -> str | None:
    """The type according to its bytes, among the four that the Messages API reads; None for anything else.

    Not according to its name: agents call every screenshot image/png, and the API rejects a wrong name.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, or None if its header is broken."""
    try:
        match media_type_of(data):
            case "image/png":
                width, height = struct.unpack_from(">II", data, 16)
            case "image/gif":
                width, height = struct.unpack_from("<HH", data, 6)
            case "image/webp":
                width, height = _webp(data)
            case "image/jpeg":
                height, width = next(_jpeg(data))
            case _:
                return None
    except (struct.error, StopIteration):
        return None
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        case b"VP8X":
            low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
            return (low_w | high_w << 16) + 1, (low_h | high_h << 16) + 1
    raise struct.error


def _jpeg(data: bytes) -> Iterator[tuple[int, int]]:
    position = 2
    while position < len(data):
        marker, kind = struct.unpack_from(">BB", data, position)
        if marker != 0xFF:
            return
        if kind == 0xFF:  # padding
            position += 1
        elif kind in _JPEG_BARE:
            position += 2
        elif kind in _JPEG_SIZES:
            yield struct.unpack_from(">HH", data, position + 5)
        else:
            position += 2 + max(2, struct.unpack_from(">H", data, position + 2)[0])
