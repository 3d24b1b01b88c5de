"""What the scripted Anthropic endpoint can be told to answer: plain values, no clock and no sockets.

A script is a function from the incoming request to a ScriptedReply or a Fail. Times are in seconds. The failures below
copy status, type and headers of the real service; their texts do not matter, because nothing may match on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Signal(Protocol):
    """Something that happens once: trio.Event, as a protocol so that this module stays free of trio."""

    def is_set(self) -> bool: ...

    def set(self) -> None: ...

    async def wait(self) -> None: ...


# --- steps: what happens in the course of one streamed answer ---


@dataclass(frozen=True, slots=True)
class Text:
    """A text block, one delta per part, `gap` seconds between parts."""

    parts: tuple[str, ...]
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Thinking:
    """A thinking block, one delta per part, closed by its signature."""

    parts: tuple[str, ...]
    signature: str = "c2lnbmF0dXJl"
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call; the JSON of `input` arrives in `pieces` deltas. `name` as the model sees it: mcp__SERVER__TOOL."""

    id: str
    name: str
    input: Mapping[str, Any]
    pieces: int = 1
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """Any other content block, given as the protocol writes it (redacted_thinking, server tools)."""

    start: Mapping[str, Any]
    deltas: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A custom SSE event, such as `ping` or an `error` mid-stream."""

    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is sent until the signal is set."""

    signal: Signal


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is cut here."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """These bytes, unchanged, inside the response body."""

    data: bytes


Hold = Pause | Wait | Drop
Step = Text | Thinking | ToolUse | Block | Event | Garbage | Hold


# --- answers ---


@dataclass(frozen=True, slots=True)
class ScriptedUsage:
    """Token counts as reported by Anthropic: `input_tokens` are those neither read from nor written to the cache."""

    input_tokens: int = 10
    output_tokens: int = 5
    cache_read: int = 0
    cache_creation: int = 0
    thinking_tokens: int = 0  # part of output_tokens, not added to them


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """A 200. `before` happens ahead of the status line, `steps` inside the message; without `envelope`, only steps."""

    steps: tuple[Step, ...] = ()
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    usage: ScriptedUsage = ScriptedUsage()
    headers: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Hold, ...] = ()
    envelope: bool = True


@dataclass(frozen=True, slots=True)
class Fail:
    """An error status with Anthropic's error body, or with `body` if given (such as a proxy's HTML page)."""

    status: int
    error_type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Hold, ...] = ()
    body: bytes | None = None


Answer = ScriptedReply | Fail


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One `POST /v1/messages` as it arrived. `at` is the endpoint's clock when the body was complete."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: dict[str, Any]
    key: str | None = field(repr=False)  # the bearer token, else x-api-key
    at: float
    disconnected: Signal  # set when the client hung up before the answer was complete

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, without invalid messages, so that scripts need not check."""
        messages = self.body.get("messages")
        return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []


Script = Callable[[RecordedRequest], Answer]


# --- the failures of the real service ---


def revoked() -> Fail:
    return Fail(401, "authentication_error", "invalid x-api-key")


def spent() -> Fail:
    return Fail(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")


def limited(*, retry_after: float | None = None, reset_at: float | None = None) -> Fail:
    """A rate limit. `retry_after` is in seconds, `reset_at` in Unix seconds (the headers of a subscription)."""
    headers: dict[str, str] = {}
    if retry_after is not None:
        headers["retry-after"] = str(int(retry_after))
    if reset_at is not None:
        headers["anthropic-ratelimit-unified-status"] = "rejected"
        headers["anthropic-ratelimit-unified-representative-claim"] = "five_hour"
        headers["anthropic-ratelimit-unified-reset"] = str(int(reset_at))
    return Fail(429, "rate_limit_error", "This request would exceed your account's rate limit.", headers)


def forbidden() -> Fail:
    return Fail(403, "permission_error", "Your API key does not have permission to use the specified resource.")


def no_such_model(model: str = "claude-none") -> Fail:
    return Fail(404, "not_found_error", f"model: {model}")


def bad_request(message: str = "messages: at least one message is required") -> Fail:
    return Fail(400, "invalid_request_error", message)


def too_long() -> Fail:
    return Fail(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")


def too_large() -> Fail:
    return Fail(413, "request_too_large", "Request exceeds the maximum size")


def overloaded() -> Fail:
    return Fail(529, "overloaded_error", "Overloaded")


def server_error(status: int = 500) -> Fail:
    return Fail(status, "api_error", "Internal server error")
