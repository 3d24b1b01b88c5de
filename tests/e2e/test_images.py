"""Images and documents reach upstream as what they are."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from claudegwd.demo.replies import blocks
from tests.e2e.harness import Running

pytestmark = pytest.mark.cli


def png(colour: int) -> str:
    """An image of 2 by 2 pixels, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + bytes([colour] * 6) for _ in range(2)))
    head = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(raw).decode()


RED, BLUE = png(10), png(200)
PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF").decode()


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


async def sent(gateway: Running, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that upstream got for a message of these parts."""
    before = gateway.endpoint.count
    await gateway.ask([{"role": "user", "content": [*parts]}])
    [request] = gateway.upstream(before)
    return blocks(request.messages[0])


async def test_images_in_their_order_among_the_texts(gateway: Running) -> None:
    text = {"type": "text", "text": "Compare"}
    found = await sent(gateway, image(f"data:image/png;base64,{RED}"), text, image(f"data:image/png;base64,{BLUE}"))
    assert [block["type"] for block in found] == ["image", "text", "image"]
    assert [found[0]["source"]["data"], found[2]["source"]["data"]] == [RED, BLUE]
    assert found[0]["source"]["media_type"] == "image/png"


async def test_the_type_is_that_of_the_bytes(gateway: Running) -> None:
    found = await sent(gateway, {"type": "text", "text": "See"}, image(f"data:image/jpeg;base64,{RED}"))
    assert found[1]["source"]["media_type"] == "image/png"


async def test_an_image_as_a_bare_string(gateway: Running) -> None:
    bare = {"type": "image_url", "image_url": f"data:image/png;base64,{RED}"}
    found = await sent(gateway, {"type": "text", "text": "See"}, bare)
    assert found[1]["source"]["data"] == RED


async def test_a_pdf_and_a_text_are_documents(gateway: Running) -> None:
    notes = base64.b64encode("Notes, ünï.".encode()).decode()
    found = await sent(
        gateway,
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "paper.pdf"}},
        {"type": "file", "file": {"file_data": f"data:text/plain;base64,{notes}", "filename": "notes.txt"}},
        {"type": "text", "text": "Summarise."},
    )
    assert [block["type"] for block in found] == ["document", "document", "text"]
    assert found[0]["source"]["data"] == PDF
    assert found[1]["source"]["data"] == "Notes, ünï."


async def test_images_of_a_history_stay_and_the_conversation_goes_on(gateway: Running) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": [image(f"data:image/png;base64,{RED}")]}]
    messages[0]["content"].append({"type": "text", "text": "What is it?"})
    first = await gateway.ask(messages)
    messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "Sure?"}]
    assert (await gateway.ask(messages)).how == "warm"
    [_, request] = gateway.upstream()
    assert blocks(request.messages[0])[0]["source"]["data"] == RED
