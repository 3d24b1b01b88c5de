"""Content parts of OpenAI messages to content blocks of the Messages API."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from claudegwd.openai_api.chat_request import FilePart, ImagePart, Part, TextPart
from claudegwd.openai_api.errors import InvalidRequest

Block = dict[str, Any]

# The four that the Messages API reads, each with the bytes that such a file begins with: an image that is not one is
# refused here, by name, and not by an upstream error after the whole conversation has been sent.
_IMAGE_HEADS: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
MAX_IMAGE_BYTES = 10 * 1024 * 1024  # the Messages API's own limit for one image
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024  # the Messages API's own limit for a request


def blocks_of(parts: Sequence[Part], path: str) -> list[Block]:
    """Turn the parts of one message into blocks; `path` (`messages[1].content`) leads the `param` of errors.

    Empty texts are left out: the Messages API refuses them. Raises InvalidRequest for what cannot be passed on.
    """
    blocks: list[Block] = []
    for index, part in enumerate(parts):
        match part:
            case TextPart(text=text):
                if text:
                    blocks.append({"type": "text", "text": text})
            case ImagePart(url=url):
                blocks.append(_image(url, f"{path}[{index}].image_url.url"))
            case FilePart():
                blocks.append(_file(part, f"{path}[{index}].file"))
    return blocks


def _image(url: str, param: str) -> Block:
    media_type, data = _data_url(url, param)
    heads = _IMAGE_HEADS.get(media_type)
    if heads is None:
        raise InvalidRequest("cannot read this image: give a PNG, JPEG, GIF or WebP as a data: URL", param=param)
    raw = _decoded(data, param)
    if len(raw) > MAX_IMAGE_BYTES:
        raise InvalidRequest(f"cannot take an image of over {MAX_IMAGE_BYTES} bytes: make it smaller", param=param)
    if not raw.startswith(heads):
        raise InvalidRequest(f"cannot read this image: its bytes are not {media_type}", param=param)
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _file(part: FilePart, param: str) -> Block:
    if part.file_data is None:
        raise InvalidRequest("cannot use an uploaded file: give its content in file_data", param=f"{param}.file_id")
    url = part.file_data if part.file_data.startswith("data:") else f"data:application/pdf;base64,{part.file_data}"
    media_type, data = _data_url(url, f"{param}.file_data")
    raw = _decoded(data, f"{param}.file_data")
    title = {"title": part.filename} if part.filename else {}
    if media_type == "application/pdf":
        if not raw.startswith(b"%PDF-"):
            raise InvalidRequest("cannot read this file: its bytes are not a PDF", param=f"{param}.file_data")
        return {"type": "document", "source": {"type": "base64", "media_type": media_type, "data": data}, **title}
    if media_type.startswith("text/") or media_type in ("application/json", "application/xml"):
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": _text(raw, param)},
            **title,
        }
    raise InvalidRequest("cannot read this file: give a PDF or a text as a data: URL", param=f"{param}.file_data")


def _text(raw: bytes, param: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest("cannot read this file: its text is not UTF-8", param=f"{param}.file_data") from error


def _data_url(url: str, param: str) -> tuple[str, str]:
    if not url.startswith("data:"):
        raise InvalidRequest("cannot fetch from an address: give the content as a data: URL", param=param)
    head, comma, data = url[5:].partition(",")
    media_type, *options = [item.strip().lower() for item in head.split(";")]
    if not comma or "base64" not in options:
        raise InvalidRequest("cannot read this data: URL: write data:TYPE;base64,DATA", param=param)
    return media_type, data


def _decoded(data: str, param: str) -> bytes:
    if len(data) > MAX_DOCUMENT_BYTES * 4 // 3 + 4:
        raise InvalidRequest(f"cannot take over {MAX_DOCUMENT_BYTES} bytes in one part", param=param)
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("cannot read this data: URL: its base64 is broken", param=param) from error
    if not raw:
        raise InvalidRequest("cannot read this data: URL: it is empty", param=param)
    return raw
