"""The event stream of the Messages API, which the CLI passes through: the parts of one upstream message."""

from typing import Any

import msgspec

Raw = msgspec.Raw


class TextDelta(msgspec.Struct, tag="text_delta"):
    text: Raw  # the JSON string literal as it came, quotes included: spliced into our stream, never decoded there


class ThinkingDelta(msgspec.Struct, tag="thinking_delta"):
    thinking: Raw


class SignatureDelta(msgspec.Struct, tag="signature_delta"):
    signature: str


class InputJsonDelta(msgspec.Struct, tag="input_json_delta"):
    partial_json: Raw


class CitationsDelta(msgspec.Struct, tag="citations_delta"):
    citation: dict[str, Any]


Delta = TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta | CitationsDelta


class ContentBlock(msgspec.Struct):
    """The start of a block; which fields are set depends on `type`. Raw ones are JSON as it came."""

    type: str
    id: str = ""
    name: str = ""
    tool_use_id: str = ""
    content: Raw = Raw(b"[]")
    text: Raw = Raw(b'""')
    thinking: Raw = Raw(b'""')
    signature: str = ""
    data: str = ""
    input: Raw = Raw(b"{}")


class RawUsage(msgspec.Struct):
    """Token counts of the Anthropic API: input_tokens excludes what the cache read or wrote."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: dict[str, Any] | None = None


class MessageHead(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: RawUsage | None = None


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
    usage: RawUsage | None = None


class MessageStop(msgspec.Struct, tag="message_stop"):
    pass


StreamPart = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop
