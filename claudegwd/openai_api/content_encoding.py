"""Decompresses request bodies chunk by chunk as they arrive. Codex, for example, can send its requests as zstd."""

import zlib
from typing import Any, Final

from claudegwd.openai_api.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType

# A conversation compresses to a tenth or a twentieth of its size, a very repetitive one to a fiftieth. Bodies that
# expand further are made to exhaust our memory; below a size that cannot, any ratio is accepted.
MAX_RATIO: Final = 100
MAX_BYTES_OF_ANY_RATIO: Final = 1024 * 1024
# The logarithm of the window that a zstd decoder must keep: 8 MiB, the maximum that RFC 9659 allows over HTTP. The
# decoder's own limit would let a body of a few bytes claim 128 MiB.
MAX_ZSTD_WINDOW: Final = 23

ENCODINGS: Final = ("gzip", "deflate", "zstd")
_SAME = {"": "identity", "x-gzip": "gzip"}
_GZIP, _RAW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS


def encoding_of(header: str) -> str:
    """The one encoding that a Content-Encoding names, `identity` for none. Raises UnsupportedMediaType."""
    name = header.strip().lower()
    name = _SAME.get(name, name)
    if name != "identity" and name not in ENCODINGS:
        raise UnsupportedMediaType(
            "cannot read a body of this content-encoding: send it uncompressed, or compressed with "
            f"{', '.join(ENCODINGS)}",
            headers={"accept-encoding": ", ".join(ENCODINGS)},
        )
    return name


class Unpacker:
    """Unpacks one body. Never produces more than `most` bytes in total, and holds only what it returns."""

    def __init__(self, encoding: str, most: int) -> None:
        """`encoding`: one of ENCODINGS."""
        self._encoding = encoding
        self._most = most
        self._taken = 0
        self._made = 0
        self._head = b""  # of a deflate body, until the two bytes that distinguish its two forms have arrived
        self._error: type[Exception] = zlib.error
        self._decoder: Any = None
        if encoding == "gzip":
            self._decoder = zlib.decompressobj(_GZIP)
        elif encoding == "zstd":
            zstd = _zstd()
            self._error = zstd.ZstdError
            self._decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: MAX_ZSTD_WINDOW})

    def feed(self, piece: bytes) -> bytes:
        """Take a piece; return what it unpacks to. Raises BodyTooLarge, or InvalidRequest if it is something else."""
        if self._decoder is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return b""
            self._decoder = zlib.decompressobj() if _is_zlib(piece) else zlib.decompressobj(_RAW)
        if not piece:
            return b""
        if self._decoder.eof:
            raise self._fault("there is something after its end")
        self._taken += len(piece)
        room = min(self._most, max(MAX_BYTES_OF_ANY_RATIO, MAX_RATIO * self._taken)) - self._made
        try:
            # One more than allowed, so that excess shows.
            made: bytes = self._decoder.decompress(piece, room + 1)
        except self._error as error:
            raise self._fault("it is corrupt, or not in that format") from error
        if len(made) > room:
            raise BodyTooLarge(
                "cannot decompress this body: it would be larger than server.max_body_bytes, or more than "
                f"{MAX_RATIO} times its compressed size; send less, or send it uncompressed"
            )
        if self._decoder.unused_data:
            raise self._fault("there is something after its end")
        self._made += len(made)
        return made

    def end(self) -> None:
        """Everything was fed. Raises InvalidRequest if it is incomplete."""
        if self._decoder is None or not self._decoder.eof:
            raise self._fault("it is truncated")

    def _fault(self, why: str) -> InvalidRequest:
        return InvalidRequest(f"cannot decompress this body as {self._encoding}, its content-encoding: {why}")


def _is_zlib(body: bytes) -> bool:
    """Whether it begins with zlib's two bytes. "deflate" means that, but some clients omit them."""
    return body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0


def _zstd() -> Any:
    """Loaded for the first body that needs it: few ever do."""
    try:
        from compression import zstd  # type: ignore[import-not-found]  # from Python 3.14 on
    except ImportError:
        from backports import zstd
    return zstd
