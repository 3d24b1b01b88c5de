"""Amazon Bedrock and Google Vertex AI as the CLI sees them: a script served at their paths and in their frames."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from claudegwd.demo import wire
from claudegwd.demo.connection import EndpointConnection
from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.script import Answer, RecordedRequest, Script, ScriptedReply

EVENT_STREAM = "application/vnd.amazon.eventstream"
_EVENT_HEADERS = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
_STRING = 7  # the type of such a header's value


@dataclass(frozen=True, slots=True)
class Cloud:
    """`env`: what makes the CLI use it; `address`: the variable with its address; `path_end`: of a question."""

    env: Mapping[str, str]
    address: str
    path_end: str


CLOUDS = {
    "bedrock": Cloud(
        {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1", "AWS_REGION": "us-east-1"},
        "ANTHROPIC_BEDROCK_BASE_URL",
        "/invoke-with-response-stream",
    ),
    "vertex": Cloud(
        {"CLAUDE_CODE_USE_VERTEX": "1", "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1", "CLOUD_ML_REGION": "us-east5",
         "ANTHROPIC_VERTEX_PROJECT_ID": "false-project"},
        "ANTHROPIC_VERTEX_BASE_URL",
        ":streamRawPredict",
    ),
}  # fmt: skip


class CloudEndpoint(ScriptedEndpoint):
    """Serves `script` as one of the CLOUDS does; what else it is asked for, it does not have."""

    def __init__(self, cloud: Cloud, script: Script) -> None:
        super().__init__(script)
        self._cloud = cloud

    async def _serve_requests(self, connection: EndpointConnection) -> None:
        while (arrived := await connection.next_request()) is not None:
            head, body = arrived
            path = head.target.decode("latin-1")
            if path.endswith(self._cloud.path_end):
                asked = json.dumps({**json.loads(body), "stream": True}).encode()  # Bedrock says so by the path
                await self._serve_message(connection, await self._record(head, path, asked))
            else:
                self.strays.append(f"{head.method.decode()} {path}")
                await connection.send_whole(404, "application/json", b'{"message":"Not found"}', {})
            if not connection.ready_for_next():
                return

    async def _write(
        self, connection: EndpointConnection, request: RecordedRequest, answer: Answer, number: int
    ) -> None:
        if self._frames_events and isinstance(answer, ScriptedReply):
            answer = replace(answer, headers={**answer.headers, "content-type": EVENT_STREAM})
        await super()._write(connection, request, answer, number)

    async def _stream(self, connection: EndpointConnection, frames: Iterator[wire.Frame]) -> None:
        framed = (_framed(frame) if isinstance(frame, bytes) else frame for frame in frames)
        await super()._stream(connection, framed if self._frames_events else frames)

    @property
    def _frames_events(self) -> bool:
        return self._cloud is CLOUDS["bedrock"]


def _framed(event: bytes) -> bytes:
    """A server-sent event as a message of Amazon's event stream: lengths, headers, payload, and two checksums."""
    data = event.partition(b"data: ")[2].strip()
    payload = json.dumps({"bytes": base64.b64encode(data).decode()}).encode()
    headers = b"".join(
        struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name.encode(), _STRING, len(value), value.encode())
        for name, value in _EVENT_HEADERS.items()
    )
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))
