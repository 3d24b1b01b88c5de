"""The events of one upstream message to outputs: the state table of a turn, seen from the client's side.

A turn ends for us at the first upstream message. The CLI goes on by itself where an API would stop (after
`max_tokens`, after an empty answer, after a call of a tool that it does not know), and each time that is another
upstream request; the outputs therefore say at the earliest event whether the process may go on (`After`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from claudegwd.claude_cli import events as e
from claudegwd.keys.failures import FailureKind, classify
from claudegwd.translate.tools import PREFIX, ToolSet

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_EMPTY_STRING = b'""'


class State(Enum):
    ASKED = "asked"  # no upstream message yet: a failure may still be passed on to another key
    STREAMING = "streaming"
    STOPPED = "stopped"  # the stop reason is known; what follows is the CLI settling
    FAILED = "failed"


class After(Enum):
    """What becomes of the process once the answer is complete."""

    KEEP = "keep"  # it settles with its `result` line and can take the next turn
    PARK = "park"  # it waits for the results of the client's tools
    KILL = "kill"  # it would go on by itself: end it before its next request leaves


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream message began. `model` is the one that answers, which may not be the one asked for."""

    model: str


@dataclass(frozen=True, slots=True)
class Text:
    raw: e.Raw | bytes  # a JSON string literal


@dataclass(frozen=True, slots=True)
class Reasoning:
    raw: e.Raw | bytes


@dataclass(frozen=True, slots=True)
class ToolStart:
    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolArguments:
    index: int
    raw: e.Raw | bytes


@dataclass(frozen=True, slots=True)
class TokenCount:
    """OpenAI's counts: the prompt's includes what the cache read and wrote."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. `reason` is OpenAI's finish reason."""

    reason: str
    usage: TokenCount
    after: After


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn failed. `status` is the upstream's, `error` the CLI's word; `streamed`: whether a token went out."""

    kind: FailureKind
    status: int | None
    error: str | None
    reset_at: float | None
    streamed: bool


Output = Started | Text | Reasoning | ToolStart | ToolArguments | Finished | Failed


class TurnError(Exception):
    """An event that has no place in the state: the process is not one that can be relied on."""


@dataclass(slots=True)
class Turn:
    """Feed it the events of a turn, in order; it gives the outputs, exactly one of them Finished or Failed."""

    tools: ToolSet
    state: State = State.ASKED
    _calls: list[tuple[int, str]] = field(default_factory=list)  # block index and id of each call, in order
    _empty_call: bool = False
    _strange_call: bool = False
    _spoke: bool = False
    _head: e.Usage = field(default_factory=e.Usage)
    _error: e.AssistantLine | None = None
    _reset_at: float | None = None

    @property
    def over(self) -> bool:
        return self.state in (State.STOPPED, State.FAILED)

    @property
    def call_ids(self) -> Sequence[str]:
        return [ident for _, ident in self._calls]

    def feed(self, event: e.AnyEvent) -> Sequence[Output]:
        """Take one event. Events after the end are the CLI settling and give nothing."""
        if self.over:
            return ()
        match event:
            case e.StreamEvent(event=part):
                return self._stream(part)
            case e.AssistantLine(is_api_error_message=True):
                self._error = event
            case e.RateLimit(rate_limit_info=info) if info.status == "rejected":
                self._reset_at = info.resetsAt
            case e.Result() if event.num_turns or event.is_error or self.state is State.STREAMING:
                return (self._failed(event),)
        return ()

    def lost(self, kind: FailureKind = FailureKind.CLI) -> Sequence[Output]:
        """The process ended or spoke nonsense (CLI), or fell silent (SILENT)."""
        if self.over:
            return ()
        return (self._fail(kind, None, None),)

    def _stream(self, part: e.StreamPart) -> Sequence[Output]:
        match part:
            case e.BlockDelta(delta=delta):
                self._expect(State.STREAMING, "a delta")
                return self._delta(delta)
            case e.MessageStart(message=message):
                self._expect(State.ASKED, "a message start")
                self.state = State.STREAMING
                self._head = message.usage
                return (Started(message.model),)
            case e.BlockStart(content_block=block, index=index) if block.type == "tool_use":
                self._expect(State.STREAMING, "a block")
                return self._tool_start(index, block)
            case e.BlockStop(index=index) if self._empty_call and self._calls and self._calls[-1][0] == index:
                self._empty_call = False
                return (ToolArguments(len(self._calls) - 1, b'"{}"'),)
            case e.MessageDelta(delta=delta) if delta.stop_reason is not None:
                self._expect(State.STREAMING, "a stop reason")
                return self._stopped(part, delta.stop_reason)
            case e.MessageStop() if self.state is State.STREAMING and self._error is None:
                # Without a stop reason the answer broke off. After its first whole block the CLI would now ask again.
                return (self._fail(FailureKind.UNAVAILABLE, None, "broken_off"),)
        return ()

    def _delta(self, delta: e.Delta) -> Sequence[Output]:
        match delta:
            case e.TextDelta(text=raw):
                if bytes(raw) == _EMPTY_STRING:
                    return ()
                self._spoke = True
                return (Text(raw),)
            case e.ThinkingDelta(thinking=raw):
                return () if bytes(raw) == _EMPTY_STRING else (Reasoning(raw),)
            case e.InputJsonDelta(partial_json=raw) if self._calls and bytes(raw) != _EMPTY_STRING:
                self._empty_call = False
                return (ToolArguments(len(self._calls) - 1, raw),)
        return ()

    def _tool_start(self, index: int, block: e.ContentBlock) -> Sequence[Output]:
        name = self.tools.client_name(block.name)
        # A tool nobody declared: the CLI would answer the call itself and go on, which is another upstream request.
        self._strange_call = self._strange_call or name is None
        self._calls.append((index, block.id))
        self._empty_call = True
        return (ToolStart(len(self._calls) - 1, block.id, name or block.name.removeprefix(PREFIX)),)

    def _stopped(self, part: e.MessageDelta, stop: str) -> Sequence[Output]:
        self.state = State.STOPPED
        after = After.KILL
        if stop == "tool_use" and self._calls and not self._strange_call:
            after = After.PARK
        elif stop in ("end_turn", "stop_sequence") and self._spoke and not self._calls:
            after = After.KEEP
        return (Finished(_FINISH.get(stop, "stop"), _count(self._head, part.usage), after),)

    def _failed(self, result: e.Result) -> Failed:
        error = self._error or e.AssistantLine()
        status = result.api_error_status or error.api_error_status
        kind_of_error = result.api_error_type or error.api_error_type
        kind = classify(status, error.error, kind_of_error, result.terminal_reason)
        return self._fail(kind, status, error.error or kind_of_error or result.terminal_reason)

    def _fail(self, kind: FailureKind, status: int | None, error: str | None) -> Failed:
        streamed = self.state is State.STREAMING
        self.state = State.FAILED
        return Failed(kind, status, error, self._reset_at, streamed)

    def _expect(self, state: State, what: str) -> None:
        if self.state is not state:
            raise TurnError(f"cannot take {what} in state {self.state.value}")


def _count(head: e.Usage, last: e.Usage) -> TokenCount:
    def of(name: str) -> int:
        value = getattr(last, name)
        return int(value if value is not None else getattr(head, name) or 0)

    cached = of("cache_read_input_tokens")
    details = last.output_tokens_details or {}
    reasoning = details.get("thinking_tokens")
    return TokenCount(
        prompt=of("input_tokens") + cached + of("cache_creation_input_tokens"),
        completion=of("output_tokens"),
        cached=cached,
        reasoning=reasoning if isinstance(reasoning, int) else 0,
    )
