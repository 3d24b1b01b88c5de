"""Turns content parts of OpenAI messages into content blocks of the Messages API."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from claudegwd.openai_api.chat.request import FilePart, ImagePart, Part, TextPart
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.request.images import (
    MAX_IMAGE_BYTES,
    MAX_REQUEST_PIXELS,
    MAX_SIDE_PIXELS,
    media_type_of,
    size_of,
)

Block = dict[str, Any]

MAX_DOCUMENT_BYTES = 32 * 1024 * 1024  # the Messages API's own limit for a request

MAX_SCHEME_CHARS = 8  # of a URL and the colon after it: https:, file:, data:

_PDF = "application/pdf"
_TEXTS = ("application/json", "application/xml", "application/yaml", "application/javascript")


@dataclass(slots=True)
class Allowance:
    """What the parts of one request may still contain, in total."""

    pixels: int = MAX_REQUEST_PIXELS


def blocks_of(parts: Sequence[Part], path: str, allowance: Allowance) -> list[Block]:
    """Turn the parts of one message into blocks; `path` (`messages[1].content`) leads the `param` of errors.

    Texts of only white space are left out, as the Messages API rejects them. Raises InvalidRequest for what cannot be
    passed on.
    """
    blocks: list[Block] = []
    for index, part in enumerate(parts):
        match part:
            case TextPart(text=text):
                if text.strip():
                    blocks.append({"type": "text", "text": text})
            case ImagePart(url=url):
                blocks.append(_image(url, f"{path}[{index}].image_url.url", allowance))
            case FilePart():
                blocks.append(_file(part, f"{path}[{index}].file"))
    return blocks


def _image(url: str, param: str, allowance: Allowance) -> Block:
    _, data = _data_url(url, param)
    return image_block(data, param, allowance)


def image_block(data: str, param: str, allowance: Allowance) -> Block:
    """An image in base64, checked; its type is determined from its bytes. Raises InvalidRequest with this `param`."""
    raw = _decoded(data, param)
    media_type = media_type_of(raw)
    if media_type is None:
        _refuse("cannot read this image: send a PNG, JPEG, GIF or WebP", param)
    if len(raw) > MAX_IMAGE_BYTES:
        _refuse(f"cannot accept an image of more than {MAX_IMAGE_BYTES} bytes: make it smaller", param)
    size = size_of(raw)
    if size is None or 0 in size:
        _refuse("cannot read this image: its header is broken", param)
    if max(size) > MAX_SIDE_PIXELS:
        _refuse(f"cannot accept an image with a side of more than {MAX_SIDE_PIXELS} pixels: make it smaller", param)
    allowance.pixels -= size[0] * size[1]
    if allowance.pixels < 0:
        _refuse(f"cannot accept images of more than {MAX_REQUEST_PIXELS} pixels in total: make them smaller", param)
    return {"type": "image", "source": _base64(media_type, raw)}


def _file(part: FilePart, param: str) -> Block:
    if part.file_data is None:
        _refuse("cannot use an uploaded file: send its content in file_data", f"{param}.file_id")
    param = f"{param}.file_data"
    # Bare base64, as in OpenAI's own examples, is identified by its bytes. It has no colon, which every URL has.
    is_url = ":" in part.file_data[:MAX_SCHEME_CHARS]
    media_type, data = _data_url(part.file_data, param) if is_url else ("", part.file_data)
    raw = _decoded(data, param)
    is_pdf = b"%PDF-" in raw[:1024]  # readers accept it this late
    if media_type == _PDF and not is_pdf:
        _refuse("cannot read this file: its bytes are not a PDF", param)
    if media_type not in ("", _PDF, *_TEXTS) and not media_type.startswith("text/"):
        _refuse("cannot read this file: send a PDF or text", param)
    title = {"title": part.filename} if part.filename else {}
    source = _base64(_PDF, raw) if is_pdf else {"type": "text", "media_type": "text/plain", "data": _text(raw, param)}
    return {"type": "document", "source": source, **title}


def _base64(media_type: str, raw: bytes) -> Block:
    # Encoded again: some clients wrap lines or omit the padding, which the Messages API rejects.
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(raw).decode("ascii")}


def _text(raw: bytes, param: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("cannot read this file: it is neither a PDF nor UTF-8 text", param)


def _data_url(url: str, param: str) -> tuple[str, str]:
    if url[:5].lower() != "data:":
        _refuse("cannot fetch from a URL: send the content as a data: URL", param)
    head, comma, data = url[5:].partition(",")
    media_type, *options = [item.strip().lower() for item in head.split(";")]
    if not comma or "base64" not in options:
        _refuse("cannot read this data: URL: use data:TYPE;base64,DATA", param)
    return media_type, data


def _decoded(data: str, param: str) -> bytes:
    if len(data) > MAX_DOCUMENT_BYTES * 4 // 3 + 4:
        _refuse(f"cannot accept more than {MAX_DOCUMENT_BYTES} bytes in one part", param)
    data = "".join(data.split())
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        _refuse("cannot read this data: its base64 is invalid", param)
    if not raw.strip():
        _refuse("cannot read this data: it is empty", param)
    return raw


def _refuse(message: str, param: str) -> NoReturn:
    raise InvalidRequest(message, param=param)
