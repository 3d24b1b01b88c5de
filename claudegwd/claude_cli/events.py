"""Decodes lines from the CLI into typed events.

Formats as observed on CLI 2.1.330 (docs/claude-cli-notes.md). A line of an unknown type, or an unknown kind within a
known type, becomes `Unknown`: every release of the CLI adds types, and none of them may stop a turn.
"""

import json
from typing import Any

import msgspec

from claudegwd.claude_cli.stream_parts import BlockDelta as BlockDelta
from claudegwd.claude_cli.stream_parts import BlockStart as BlockStart
from claudegwd.claude_cli.stream_parts import BlockStop as BlockStop
from claudegwd.claude_cli.stream_parts import CitationsDelta as CitationsDelta
from claudegwd.claude_cli.stream_parts import ContentBlock as ContentBlock
from claudegwd.claude_cli.stream_parts import Delta as Delta
from claudegwd.claude_cli.stream_parts import InputJsonDelta as InputJsonDelta
from claudegwd.claude_cli.stream_parts import MessageDelta as MessageDelta
from claudegwd.claude_cli.stream_parts import MessageHead as MessageHead
from claudegwd.claude_cli.stream_parts import MessageStart as MessageStart
from claudegwd.claude_cli.stream_parts import MessageStop as MessageStop
from claudegwd.claude_cli.stream_parts import RawUsage as RawUsage
from claudegwd.claude_cli.stream_parts import SignatureDelta as SignatureDelta
from claudegwd.claude_cli.stream_parts import StopDetails as StopDetails
from claudegwd.claude_cli.stream_parts import StreamPart as StreamPart
from claudegwd.claude_cli.stream_parts import TextDelta as TextDelta
from claudegwd.claude_cli.stream_parts import ThinkingDelta as ThinkingDelta

Raw = msgspec.Raw


class EventError(Exception):
    """A line that is not JSON, or not an object with a type: the process at the other end is not the CLI we know."""


class StreamEvent(msgspec.Struct, tag="stream_event"):
    """One event of the upstream message, passed through by the CLI."""

    event: StreamPart


class AssistantLine(msgspec.Struct, tag="assistant"):
    """A whole assistant block, after its deltas. Only useful if it reports an error, whose text is for people."""

    is_api_error_message: bool = False
    error: str | None = None
    api_error_status: int | None = None
    api_error_type: str | None = None
    api_error: str | None = None  # the CLI's name for what prevented any answer
    message: Raw = Raw(b"null")


class _ModelUsage(msgspec.Struct):
    outputTokens: int = 0  # noqa: N815 - the CLI's name


_usage = msgspec.json.Decoder(dict[str, _ModelUsage])


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
    modelUsage: Raw = Raw(b"{}")  # noqa: N815 - the CLI's name; raw, so that changes to it do not lose the end of a turn

    @property
    def output_tokens(self) -> int:
        """Of all models, since the conversation began or was cleared; 0 if that is not stated."""
        try:
            return sum(each.outputTokens for each in _usage.decode(self.modelUsage).values())
        except (msgspec.DecodeError, UnicodeDecodeError):
            return 0


class System(msgspec.Struct, tag="system"):
    """`init` at the start of each turn, `status`, `api_retry` (despite MAX_RETRIES=0 after a 401), and others."""

    subtype: str = ""
    session_id: str = ""
    status: str | None = None


class CliResponseBody(msgspec.Struct):
    request_id: str
    subtype: str = ""
    error: str | None = None
    response: Raw = Raw(b"null")


class CliResponse(msgspec.Struct, tag="control_response"):
    """The answer to one of our control requests."""

    response: CliResponseBody


class CliRequestBody(msgspec.Struct):
    subtype: str
    message: dict[str, Any] | None = None


class CliRequest(msgspec.Struct, tag="control_request"):
    """A request from the CLI: mostly MCP messages for the client's tools."""

    request_id: str
    request: CliRequestBody


class RateLimitInfo(msgspec.Struct):
    status: str = ""
    resetsAt: float | None = None  # noqa: N815 - the CLI's name
    rateLimitType: str | None = None  # noqa: N815 - the CLI's name
    utilization: float | None = None
    isUsingOverage: bool = False  # noqa: N815 - the CLI's name
    unifiedWindows: Raw = Raw(b"{}")  # noqa: N815 - the CLI's name; raw, so that changes to it do not lose the reset time


class RateLimit(msgspec.Struct, tag="rate_limit_event"):
    """What upstream said about limits: `rejected` is one, with its reset in Unix seconds; `allowed_warning` is not."""

    rate_limit_info: RateLimitInfo = msgspec.field(default_factory=RateLimitInfo)


class Unknown(msgspec.Struct):
    """A line with a type, or a part of a type, that this version does not know. Its content is not kept."""

    type: str


Event = StreamEvent | AssistantLine | Result | System | CliResponse | CliRequest | RateLimit
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

# Lines and kinds that a turn depends on. If one of these does not decode, continuing would lose text or wait forever,
# so it is an error instead of Unknown.
_VITAL_LINES = frozenset({"result", "control_response", "control_request"})
_VITAL_PARTS = frozenset({"message_start", "content_block_stop", "message_delta", "message_stop"})
_VITAL_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_VITAL_DELTAS = frozenset({"text_delta", "thinking_delta", "signature_delta", "input_json_delta"})


def decode_event(line: bytes) -> AnyEvent:
    """Decode one line into its event.

    Raises EventError if the line is not a JSON object with a `type`, or a part of an answer cannot be read.
    """
    try:
        return _known.decode(line)
    except msgspec.ValidationError:
        return _unknown(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _with_halves(line)
    except RecursionError as error:
        raise EventError("cannot read a line from the CLI: it is nested too deeply") from error


class Passed(msgspec.Struct):
    """An upstream event as it came."""

    name: str
    raw: bytes


class _PassedLine(msgspec.Struct):
    type: str
    event: Raw = Raw(b"{}")


_passed = msgspec.json.Decoder(_PassedLine)
_name = msgspec.json.Decoder(_Inner)


def upstream_event(line: bytes) -> Passed | None:
    """The upstream's event in a line that `decode_event` has accepted, of whatever kind; None for the CLI's own
    lines."""
    try:
        found = _passed.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = json.loads(line)  # half of a surrogate pair, which msgspec rejects
        if value["type"] != "stream_event":
            return None
        return Passed(value["event"].get("type", ""), json.dumps(value["event"]).encode("ascii"))
    return Passed(_name.decode(found.event).type, bytes(found.event)) if found.type == "stream_event" else None


# The text fields of deltas, by type.
_TEXT_OF = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def _with_halves(line: bytes) -> AnyEvent:
    """A line with a lone surrogate, which msgspec rejects: models write them, and pairs may be split between deltas.

    A delta's text stays as it came; anywhere else the surrogate becomes a question mark.
    """
    try:
        value = json.loads(line)
        event = _known.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except msgspec.ValidationError as error:
        raise EventError(
            "cannot read a line from the CLI: it contains an incomplete character, and its type is unknown"
        ) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise EventError("cannot read a line from the CLI: it is not JSON") from error
    if isinstance(event, StreamEvent) and isinstance(event.event, BlockDelta):
        delta = value["event"]["delta"]
        name = _TEXT_OF.get(delta["type"])
        if name is not None:
            setattr(event.event.delta, name, Raw(json.dumps(delta[name]).encode("ascii")))
    return event


def _unknown(line: bytes) -> Unknown:
    """A line that does not decode: either something new, or something known that is broken."""
    try:
        found = _line.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("cannot read a line from the CLI: it has no type") from error
    if found.type in _VITAL_LINES or (found.type == "stream_event" and _is_vital(found.event)):
        raise EventError(f"cannot read a {found.type} line from the CLI: its fields are not those of a known version")
    return Unknown(found.type)


def _is_vital(part: _Part) -> bool:
    match part.type:
        case "content_block_start":
            return part.content_block.type in _VITAL_BLOCKS
        case "content_block_delta":
            return part.delta.type in _VITAL_DELTAS
    return part.type in _VITAL_PARTS
