"""Lines from the CLI to typed events.

Shapes observed on CLI 2.1.330 (docs/claude-cli-notes.md). A line of an unknown type, or an unknown kind inside a known
one, becomes `Unknown`: the CLI gains types with every release, and none of the new ones may stop a turn.
"""

from typing import Any

import msgspec

Raw = msgspec.Raw


class EventError(Exception):
    """A line that is not JSON, or not an object with a type: the process on the other end is not the CLI we know."""


class TextDelta(msgspec.Struct, tag="text_delta"):
    text: Raw  # the JSON string literal as it came, quotes included: spliced into our stream, never decoded there


class ThinkingDelta(msgspec.Struct, tag="thinking_delta"):
    thinking: Raw


class SignatureDelta(msgspec.Struct, tag="signature_delta"):
    signature: str


class InputJsonDelta(msgspec.Struct, tag="input_json_delta"):
    partial_json: Raw


Delta = TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta


class ContentBlock(msgspec.Struct):
    """The opening of a block; which fields are filled depends on `type`. Raw ones are JSON as it came."""

    type: str
    id: str = ""
    name: str = ""
    text: Raw = Raw(b'""')
    thinking: Raw = Raw(b'""')
    signature: str = ""
    data: str = ""
    input: Raw = Raw(b"{}")


class Usage(msgspec.Struct):
    """Token counts as the Anthropic API gives them: input_tokens leaves out what the cache read or wrote."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: dict[str, Any] | None = None


class MessageHead(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: Usage | None = None


class StopDetails(msgspec.Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessageStart(msgspec.Struct, tag="message_start"):
    message: MessageHead


class BlockStart(msgspec.Struct, tag="content_block_start"):
    index: int
    content_block: ContentBlock


class BlockDelta(msgspec.Struct, tag="content_block_delta"):
    index: int
    delta: Delta


class BlockStop(msgspec.Struct, tag="content_block_stop"):
    index: int


class MessageDelta(msgspec.Struct, tag="message_delta"):
    delta: StopDetails
    usage: Usage | None = None


class MessageStop(msgspec.Struct, tag="message_stop"):
    pass


StreamPart = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop


class StreamEvent(msgspec.Struct, tag="stream_event"):
    """One event of the upstream message, passed through by the CLI."""

    event: StreamPart


class AssistantLine(msgspec.Struct, tag="assistant"):
    """A whole assistant block, after its deltas. Of use only when it reports an error, whose text is never read."""

    is_api_error_message: bool = False
    error: str | None = None
    api_error_status: int | None = None
    api_error_type: str | None = None


class Result(msgspec.Struct, tag="result"):
    """The end of a turn, or the acknowledgement of a message appended without a question (`num_turns` 0)."""

    subtype: str = ""
    is_error: bool = False
    num_turns: int = 0
    terminal_reason: str | None = None
    api_error_status: int | None = None
    api_error_type: str | None = None
    session_id: str = ""
    total_cost_usd: float = 0.0


class System(msgspec.Struct, tag="system"):
    """`init` at the start of each turn, `status`, `api_retry` (which MAX_RETRIES=0 should prevent), and others."""

    subtype: str = ""
    session_id: str = ""
    status: str | None = None


class ResponseBody(msgspec.Struct):
    request_id: str
    subtype: str = ""
    error: str | None = None
    response: Raw = Raw(b"null")


class ControlResponse(msgspec.Struct, tag="control_response"):
    """The answer to one of our control requests."""

    response: ResponseBody


class RequestBody(msgspec.Struct):
    subtype: str
    server_name: str = ""
    message: dict[str, Any] | None = None


class ControlRequest(msgspec.Struct, tag="control_request"):
    """Something that the CLI asks of us: MCP messages for the client's tools, mostly."""

    request_id: str
    request: RequestBody


class RateLimitInfo(msgspec.Struct):
    status: str = ""
    resetsAt: float | None = None  # noqa: N815 - the CLI's name
    rateLimitType: str | None = None  # noqa: N815 - the CLI's name


class RateLimit(msgspec.Struct, tag="rate_limit_event"):
    """What upstream said about limits: `rejected` is one, with its reset in Unix seconds; `allowed_warning` is none."""

    rate_limit_info: RateLimitInfo = msgspec.field(default_factory=RateLimitInfo)


class Unknown(msgspec.Struct):
    """A line of a type, or with a part of a type, that this version does not know. Its content is not kept."""

    type: str


Event = StreamEvent | AssistantLine | Result | System | ControlResponse | ControlRequest | RateLimit
AnyEvent = Event | Unknown

_known: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class _Inner(msgspec.Struct):
    type: str = ""


class _Part(msgspec.Struct):
    type: str = ""
    delta: _Inner = msgspec.field(default_factory=_Inner)
    content_block: _Inner = msgspec.field(default_factory=_Inner)


class _Line(msgspec.Struct):
    type: str
    event: _Part = msgspec.field(default_factory=_Part)


_line = msgspec.json.Decoder(_Line)

# Lines and kinds that a turn cannot do without. If one of these does not decode, to go on would be to lose text or to
# wait for ever, so it is an error and not an Unknown.
_VITAL_LINES = frozenset({"result", "control_response", "control_request"})
_VITAL_PARTS = frozenset({"message_start", "content_block_stop", "message_delta", "message_stop"})
_VITAL_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_VITAL_DELTAS = frozenset({"text_delta", "thinking_delta", "signature_delta", "input_json_delta"})


def decode_event(line: bytes) -> AnyEvent:
    """Turn one line into its event.

    Raises EventError when the line is not a JSON object with a `type`, or when a part of an answer cannot be read.
    """
    try:
        return _known.decode(line)
    except msgspec.ValidationError:
        return _unknown(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("cannot read a line from the CLI: not JSON") from error


def _unknown(line: bytes) -> Unknown:
    """What does not decode: something new, or something known that is broken."""
    try:
        found = _line.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("cannot read a line from the CLI: no type in it") from error
    if found.type in _VITAL_LINES or (found.type == "stream_event" and _is_vital(found.event)):
        raise EventError(f"cannot read a {found.type} line from the CLI: its parts are not those of a known version")
    return Unknown(found.type)


def _is_vital(part: _Part) -> bool:
    match part.type:
        case "content_block_start":
            return part.content_block.type in _VITAL_BLOCKS
        case "content_block_delta":
            return part.delta.type in _VITAL_DELTAS
    return part.type in _VITAL_PARTS
