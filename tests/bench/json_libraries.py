"""What reading and writing JSON costs with each library: `python -m tests.bench.json_libraries`.

One streamed event and one request, each way, checked against the same types with msgspec and with pydantic, and
unchecked with the standard library; then what the gateway itself does. The choice is argued in docs/performance.md.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, Literal

import msgspec
import pydantic

from claudegwd.claude_cli.events import decode_event
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.openai_api.chat.response import ChatChoice, ChatStream, Usage, completion_body

# The fastest of so many rounds: other programs can only make one slower.
ROUNDS = 9
ROUND_SECONDS = 0.05

TEXT = "some words"
IDENT = "chatcmpl-0123456789abcdef01234567"
LINE = json.dumps(
    {
        "type": "stream_event", "session_id": "6ad1f3b7-20a4-43f1-8c8e-3d1e9d8a4a53", "parent_tool_use_id": None,
        "uuid": "4e4e2a2e-86b7-4a58-9a07-0a1ac9a8c6f1",
        "event": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
    }
).encode()  # fmt: skip
CHUNK = {
    "id": IDENT, "object": "chat.completion.chunk", "created": 1_800_000_000,
    "model": "claude-sonnet-4-20250514",
    "choices": [{"index": 0, "delta": {"content": TEXT}, "logprobs": None, "finish_reason": None}],
}  # fmt: skip
TOOL = {
    "type": "function",
    "function": {
        "name": "read_file", "description": "Read a file of the project. " * 8,
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}  # fmt: skip
# An agent in the middle of its work: twenty messages of some hundred characters, and ten tools.
REQUEST = json.dumps(
    {
        "model": "claude-sonnet-4-20250514", "stream": True, "temperature": 0.5, "max_tokens": 4096,
        "messages": [
            {"role": "user" if number % 2 == 0 else "assistant", "content": [{"type": "text", "text": "words " * 80}]}
            for number in range(21)
        ],
        "tools": [TOOL | {"function": {**TOOL["function"], "name": f"tool_{number}"}} for number in range(10)],  # type: ignore[dict-item]
    }
).encode()  # fmt: skip
ANSWER = "words " * 200
BODY = {
    "id": CHUNK["id"], "object": "chat.completion", "created": CHUNK["created"], "model": CHUNK["model"],
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "logprobs": None, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}  # fmt: skip

# Each class stands there twice, word for word; the decoders are made once, as one would.


class MDelta(msgspec.Struct, tag_field="type", tag="text_delta"):
    text: str


class MInner(msgspec.Struct, tag_field="type", tag="content_block_delta"):
    index: int
    delta: MDelta


class MLine(msgspec.Struct, tag_field="type", tag="stream_event"):
    event: MInner
    parent_tool_use_id: str | None = None


class MPart(msgspec.Struct):
    type: Literal["text"]
    text: str


class MMessage(msgspec.Struct):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[MPart] | None


class MFunction(msgspec.Struct):
    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None


class MTool(msgspec.Struct):
    type: Literal["function"]
    function: MFunction


class MRequest(msgspec.Struct):
    model: str
    messages: list[MMessage]
    stream: bool = False
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tools: list[MTool] = []


class PDelta(pydantic.BaseModel):
    type: Literal["text_delta"]
    text: str


class PInner(pydantic.BaseModel):
    type: Literal["content_block_delta"]
    index: int
    delta: PDelta


class PLine(pydantic.BaseModel):
    type: Literal["stream_event"]
    event: PInner
    parent_tool_use_id: str | None = None


class PPart(pydantic.BaseModel):
    type: Literal["text"]
    text: str


class PMessage(pydantic.BaseModel):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[PPart] | None


class PFunction(pydantic.BaseModel):
    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None


class PTool(pydantic.BaseModel):
    type: Literal["function"]
    function: PFunction


class PRequest(pydantic.BaseModel):
    model: str
    messages: list[PMessage]
    stream: bool = False
    temperature: Annotated[float, pydantic.Field(ge=0, le=2)] = 1
    max_tokens: Annotated[int, pydantic.Field(ge=1)] | None = None
    tools: list[PTool] = []


_m_line, _m_request = msgspec.json.Decoder(MLine), msgspec.json.Decoder(MRequest)
_m_encode = msgspec.json.Encoder().encode
_p_value = pydantic.TypeAdapter(dict[str, Any])
_stream = ChatStream(IDENT, 1_800_000_000, "claude-sonnet-4-20250514")
_literal = msgspec.Raw(json.dumps(TEXT).encode())
_whole = [ChatChoice(index=0, content=ANSWER)]

Job = Callable[[], Any]
JOBS: dict[str, dict[str, Job]] = {
    "a streamed event, read": {
        "msgspec": lambda: _m_line.decode(LINE).event.delta.text,
        "pydantic": lambda: PLine.model_validate_json(LINE).event.delta.text,
        "json, unchecked": lambda: json.loads(LINE)["event"]["delta"]["text"],
        "the gateway": lambda: decode_event(LINE),
    },
    "a streamed event, written": {
        "msgspec": lambda: _m_encode(CHUNK),
        "pydantic": lambda: _p_value.dump_json(CHUNK),
        "json, unchecked": lambda: json.dumps(CHUNK, separators=(",", ":")).encode(),
        "the gateway": lambda: _stream.text(0, _literal),
    },
    "a request, read": {
        "msgspec": lambda: len(_m_request.decode(REQUEST).messages),
        "pydantic": lambda: len(PRequest.model_validate_json(REQUEST).messages),
        "json, unchecked": lambda: len(json.loads(REQUEST)["messages"]),
        "the gateway": lambda: parse_chat_request(REQUEST, Bounds()),
    },
    "its answer, written": {
        "msgspec": lambda: _m_encode(BODY),
        "pydantic": lambda: _p_value.dump_json(BODY),
        "json, unchecked": lambda: json.dumps(BODY, separators=(",", ":")).encode(),
        "the gateway": lambda: completion_body(IDENT, 1_800_000_000, "m", _whole, Usage()),
    },
}


def microseconds(job: Job) -> float:
    """The best of ROUNDS, for one call."""
    timer = timeit.Timer(job)
    count = max(1, int(ROUND_SECONDS / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(ROUNDS, count)) / count * 1e6


def main() -> None:
    ways = list(next(iter(JOBS.values())))
    versions = ", ".join(f"{name} {version(name)}" for name in ("msgspec", "pydantic"))
    sys.stdout.write(f"{versions}, Python {sys.version.split()[0]}\n\n")
    sys.stdout.write(f"| microseconds | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}\n")
    for name, jobs in JOBS.items():
        figures = " | ".join(f"{microseconds(jobs[way]):.1f}" for way in ways)
        sys.stdout.write(f"| {name} | {figures} |\n")


if __name__ == "__main__":
    main()
