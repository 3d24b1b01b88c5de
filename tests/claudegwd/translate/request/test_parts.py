"""Parts of messages as blocks: what passes, and what is refused with the path of the field."""

import base64
import json
from typing import Any

import pytest

from claudegwd.openai_api.chat.request import FilePart, ImagePart, Part, TextPart
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.request.images import MAX_IMAGE_BYTES, MAX_REQUEST_PIXELS
from claudegwd.translate.request.parts import MAX_DOCUMENT_BYTES, Allowance, blocks_of
from tests.claudegwd.translate.request.test_images import gif, jpeg, png

PDF = b"%PDF-1.7\n..."


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{encoded(data)}"


def image_block(media_type: str, data: bytes) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded(data)}}


def pdf_block(**fields: str) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "application/pdf", "data": encoded(PDF)}
    return {"type": "document", "source": source, **fields}


def text_block(text: str, **fields: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **fields}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (TextPart(" é\0"), {"type": "text", "text": " é\0"}),
        (ImagePart(url("image/png", png(1, 1))), image_block("image/png", png(1, 1))),
        (ImagePart(url("image/gif", gif(1, 1)), detail="high"), image_block("image/gif", gif(1, 1))),
        # The name is the client's guess; the bytes are the image.
        (ImagePart(url("image/jpg", png(1, 1))), image_block("image/png", png(1, 1))),
        (ImagePart(url("", png(1, 1))), image_block("image/png", png(1, 1))),
        (ImagePart("DATA:image/png;charset=x;BASE64," + encoded(png(1, 1))), image_block("image/png", png(1, 1))),
        # Wrapped lines and padding left out, as some encoders write it.
        (ImagePart(f"data:image/png;base64,{encoded(png(2, 2))[:8]}\r\n {encoded(png(2, 2))[8:]}".rstrip("=")),
         image_block("image/png", png(2, 2))),
        (FilePart(url("application/pdf", PDF), "a.pdf"), pdf_block(title="a.pdf")),
        (FilePart(encoded(PDF)), pdf_block()),
        (FilePart(encoded(b"words")), text_block("words")),
        (FilePart(url("text/markdown", "é".encode()), "a.md"), text_block("é", title="a.md")),
        (FilePart(url("application/json", b"{}")), text_block("{}")),
        (FilePart("DATA:text/plain;BASE64," + encoded(b"words")), text_block("words")),
    ],
)  # fmt: skip
def test_passed_on(part: Part, block: dict[str, Any]) -> None:
    assert blocks_of([part], "messages[0].content", Allowance()) == [block]


def test_the_pixels_of_a_request_are_bounded_together() -> None:
    """They would be decoded by the CLI: a few kilobytes each, and 300 MB."""
    allowance, picture = Allowance(), ImagePart(url("image/png", png(8000, 5000)))
    assert len(blocks_of([picture] * (MAX_REQUEST_PIXELS // 40_000_000), "messages[0].content", allowance)) == 10
    with pytest.raises(InvalidRequest) as caught:
        blocks_of([TextPart("a"), ImagePart(url("image/png", png(1, 1)))], "messages[3].content", allowance)
    assert caught.value.param == IMAGE


def test_texts_without_a_word_are_left_out() -> None:
    parts = [TextPart(""), TextPart(" \n"), TextPart("a")]
    assert blocks_of(parts, "messages[0].content", Allowance()) == [{"type": "text", "text": "a"}]


IMAGE = "messages[3].content[1].image_url.url"
FILE = "messages[3].content[1].file.file_data"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (ImagePart("https://example.com/a.png"), IMAGE),
        (ImagePart("data:image/png,plain"), IMAGE),
        (ImagePart("data:image/png;base64"), IMAGE),
        (ImagePart("data:image/png;base64,"), IMAGE),
        (ImagePart("data:image/png;base64,%%%%"), IMAGE),
        (ImagePart("data:image/png;base64,aaaaa"), IMAGE),
        (ImagePart("data:image/png;base64,é"), IMAGE),
        (ImagePart(url("image/png", b"not an image")), IMAGE),
        (ImagePart(url("image/svg+xml", b"<svg/>")), IMAGE),
        (ImagePart(url("image/png", png(1, 1)[:12])), IMAGE),
        (ImagePart(url("image/png", png(0, 1))), IMAGE),
        (ImagePart(url("image/png", png(8001, 1))), IMAGE),
        (ImagePart(url("image/jpeg", jpeg((0xE0, b"x")))), IMAGE),
        (ImagePart(url("image/png", png(1, 1) + bytes(MAX_IMAGE_BYTES))), IMAGE),
        (FilePart(file_id="file-1"), "messages[3].content[1].file.file_id"),
        (FilePart(url("application/pdf", b"not a PDF")), FILE),
        (FilePart(url("application/zip", b"PK")), FILE),
        (FilePart(url("text/plain", b"\xff\xfe")), FILE),
        (FilePart(encoded(b"\xff\xfe")), FILE),
        (FilePart(url("text/plain", b" \n")), FILE),
        (FilePart("https://example.com/a.pdf"), FILE),
        (FilePart("a" * (MAX_DOCUMENT_BYTES * 4 // 3 + 5)), FILE),
    ],
)
def test_refused(part: Part, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        blocks_of([TextPart("a"), part], "messages[3].content", Allowance())
    assert caught.value.param == param
    assert caught.value.message.startswith("cannot ")
    assert len(json.dumps(caught.value.message)) < 200  # nothing of the content in it


@pytest.mark.parametrize("address", ["https://example.com/a.pdf", "HTTP://x/a", "file:///etc/passwd", "s3://a/b"])
def test_a_file_by_its_address_is_not_fetched(address: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot fetch"):
        blocks_of([FilePart(address)], "messages[0].content", Allowance())
