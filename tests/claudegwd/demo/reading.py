"""Read an Anthropic event stream back, and write a request by hand."""

from __future__ import annotations

import json
from typing import Any


def events(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The named events of a whole stream."""
    found = []
    for block in body.decode().split("\n\n"):
        if block:
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def joined_text(body: bytes) -> str:
    return "".join(d["delta"].get("text", "") for n, d in events(body) if n == "content_block_delta")


def http_request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
