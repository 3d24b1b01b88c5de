"""Turns the lines of a CLI in a workspace into outputs: many messages and its own tools, one answer. Pure.

A call of one of the client's tools also ends the answer; its result begins another in the same turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.causes import text_of
from claudegwd.claude_cli.tool_lines import ToolAsked, ToolCalled, ToolReturned, tool_lines
from claudegwd.keys.failures import classify
from claudegwd.translate.answer.counts import count_tokens
from claudegwd.translate.answer.literals import joined, literal_of
from claudegwd.translate.answer.outputs import (
    After,
    Failed,
    Finished,
    Output,
    Reasoning,
    Started,
    TextPiece,
    TokenCount,
    ToolArguments,
    ToolStart,
)
from claudegwd.translate.answer.turn import FINISH
from claudegwd.translate.arguments import is_json
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workspaces.actions import one_line, outcome, shown

_EMPTY = b'""'
# How the CLI reports that it reached one of its bounds.
_BOUNDS = {"error_max_turns": "max_turns", "error_max_budget_usd": "max_usd"}
# There are a handful of running calls; beyond this, a result is shown without its call.
MAX_CALLS = 1000
PIECE_BYTES = 64  # the memory that the smallest piece of an answer takes
_PARTIAL = b'{"type":"stream_event"'


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message that was appended without asking is in the transcript."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """A call that the CLI did neither make nor ask about: it was invalid, or the CLI was told to deny it."""

    call: ToolCalled


Told = Unasked | Output | ToolAsked | Acknowledged | e.CliRequest


@dataclass(slots=True)
class _ClientCall:
    """A call of one of the client's tools while it is being written."""

    number: int
    given: bytes  # all of its arguments, if they do not come in pieces
    pieces: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class WorkspaceTurn:
    """Feed it lines, in order. The last output is a Finished or Failed.

    `bound`: the workspace's bound that ended it. `parked`: the answer is complete but the turn is not; it waits for
    results of `tools`, the client's own.
    """

    directory: str
    tools: ToolSet = field(default_factory=ToolSet)
    bound: str = ""
    parked: bool = False
    usage: TokenCount = field(default_factory=TokenCount)
    over: bool = False
    _asked: dict[str, str] = field(default_factory=dict)  # calls that it asked about, and why they were denied
    _calls: dict[str, ToolCalled] = field(default_factory=dict)
    _head: e.RawUsage = field(default_factory=e.RawUsage)
    _client_calls: int = 0  # in this answer
    _written: dict[int, _ClientCall] = field(default_factory=dict)  # in this message, by the upstream's index
    _started: bool = False
    _spoke: bool = False  # in an earlier message of this answer
    _speaks: bool = False  # in this one
    _open: bool = False  # reasoning that does not end in a newline
    _stop: str = ""
    _error: e.AssistantLine | None = None

    def feed(self, line: bytes) -> list[Told]:
        """The outputs of a line. Raises EventError."""
        if self.over:
            return []
        told: list[Told] = []
        for found in tool_lines(line):
            match found:
                case ToolAsked():
                    self._note_asked(found.ident, "")
                    told.append(found)
                case ToolCalled() if len(self._calls) < MAX_CALLS and self.tools.client_name(found.tool) is None:
                    self._calls[found.ident] = found
                case ToolReturned():
                    told += self._returned(found)
        return told or self._event(e.decode_event(line))

    def resume(self) -> None:
        """The results have arrived: what follows is the next answer."""
        self.parked = self._started = self._spoke = self._speaks = self._open = False
        self.usage = TokenCount()
        self._client_calls = 0

    def denied(self, asked: ToolAsked, reason: str) -> None:
        """A call was denied: shown with its reason when the CLI processes it."""
        self._note_asked(asked.ident, reason)

    def unasked(self, call: ToolCalled, reason: str | None) -> list[Output]:
        """Show such a call, with the policy's verdict."""
        end = _denial(reason) if reason else outcome(call.tool, failed=True, text="")
        return self.note(shown(call.tool, call.given, self.directory) + end)

    def note(self, text: str) -> list[Output]:
        """Add a line of our own between the actions."""
        head = "\n" if self._open else ""
        self._open = False
        return [Reasoning(literal_of(f"{head}{text}\n"))]

    def stopped(self, bound: str, said: str) -> list[Output]:
        """One of our own bounds ends it here."""
        self.bound = bound
        return [*self.note(said), self._finished("length")]

    def _returned(self, found: ToolReturned) -> Sequence[Told]:
        call = self._calls.pop(found.ident, None)
        if call is None:
            return []
        reason = self._asked.pop(found.ident, None)
        if reason is None and found.failed:
            return [Unasked(call)]
        end = _denial(reason) if reason else outcome(call.tool, failed=found.failed, text=found.text)
        return self.note(shown(call.tool, call.given, self.directory) + end)

    def _note_asked(self, ident: str, reason: str) -> None:
        if len(self._asked) < MAX_CALLS:
            self._asked[ident] = reason

    def _event(self, event: e.AnyEvent) -> list[Told]:
        match event:
            case e.StreamEvent(event=part):
                return list(self._stream(part))
            case e.CliRequest():
                return [event]
            case e.AssistantLine(is_api_error_message=True):
                self._error = event
            case e.Result() if not event.num_turns and not event.is_error and not self._started:
                return [Acknowledged()]
            case e.Result():
                return list(self._result(event))
        return []

    def _stream(self, part: e.StreamPart) -> Sequence[Output]:
        match part:
            case e.MessageStart(message=message):
                self._head, self._written = message.usage or e.RawUsage(), {}
                self._spoke, self._speaks = self._spoke or self._speaks, False
                if not self._started:
                    self._started = True
                    return (Started(message.model),)
            case e.BlockStart(content_block=block) if block.type == "text":
                return self._text(bytes(block.text))
            case e.BlockStart(content_block=block, index=index) if block.type == "tool_use":
                return self._call(block, index)
            case e.BlockDelta(delta=e.InputJsonDelta(partial_json=raw), index=index):
                return self._arguments(index, bytes(raw))
            case e.BlockDelta(delta=e.TextDelta(text=raw)):
                return self._text(bytes(raw))
            case e.BlockDelta(delta=e.ThinkingDelta(thinking=raw)) if bytes(raw) != _EMPTY:
                self._open = not bytes(raw).endswith(b'\\n"')
                return (Reasoning(bytes(raw)),)
            case e.MessageDelta(delta=delta) if delta.stop_reason is not None:
                self._stop = delta.stop_reason
                self.usage = _sum(self.usage, count_tokens(self._head, part.usage or e.RawUsage()))
                return self._ended(delta.stop_reason) if self._written else ()
        return ()

    def _call(self, block: e.ContentBlock, index: int) -> Sequence[Output]:
        name = self.tools.client_name(block.name)
        if name is None:
            return ()
        self._written[index] = call = _ClientCall(self._client_calls, bytes(block.input))
        self._client_calls += 1
        return (ToolStart(call.number, block.id, name),)

    def _arguments(self, index: int, raw: bytes) -> Sequence[Output]:
        call = self._written.get(index)
        if call is None or raw == _EMPTY:
            return ()
        call.pieces.append(raw)
        return (ToolArguments(call.number, raw),)

    def _ended(self, stop: str) -> Sequence[Output]:
        """A message with calls of the client's tools: its answer ends here, whatever else the CLI has to do."""
        outputs: list[Output] = []
        for index, call in self._written.items():
            if not call.pieces:
                whole = call.given.decode("utf-8", "replace")
                outputs += self._arguments(index, literal_of(whole if whole.startswith("{") else "{}"))
        # If arguments are not JSON, the CLI answers them itself and asks again, as it does after a truncated message.
        waits = stop == "tool_use" and all(is_json(joined(call.pieces)) for call in self._written.values())
        self.parked, self.over = waits, not waits
        after = After.PARK if waits else After.KILL
        return (*outputs, Finished(FINISH.get(stop, "tool_calls"), self.usage, after))

    def _text(self, raw: bytes) -> Sequence[Output]:
        if raw == _EMPTY:
            return ()
        apart = [TextPiece(b'"\\n\\n"')] if self._spoke and not self._speaks else []
        self._speaks = True
        return (*apart, TextPiece(raw))

    def _result(self, result: e.Result) -> Sequence[Output]:
        self.bound = _BOUNDS.get(result.subtype, "")
        if self.bound:
            return (*self.note(f"stopped: the workspace's {self.bound} is reached"), self._finished("length"))
        if not result.is_error:
            return (self._finished(FINISH.get(self._stop, "stop")),)
        self.over = True
        error = self._error or e.AssistantLine()
        status = result.api_error_status or error.api_error_status
        kind_of_error = result.api_error_type or error.api_error_type
        text = text_of(error.message)
        kind = classify(status, error.error, kind_of_error, result.terminal_reason, text)
        return (Failed(kind, status, error.error, None, text),)

    def _finished(self, reason: str) -> Finished:
        self.over = True
        return Finished(reason, self.usage, After.KILL)


def _denial(reason: str) -> str:
    """In one line, whatever a person gave as the reason, or whatever name a tool has: each line is an action."""
    return f" -> denied: {one_line(reason)}"


def _sum(one: TokenCount, other: TokenCount) -> TokenCount:
    names = [each.name for each in fields(TokenCount) if each.name != "estimated"]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})


def weight(line: bytes, told: Sequence[Told]) -> int:
    """Roughly the bytes held of a line. Of a partial message, only what it adds to the answer."""
    if not line.startswith(_PARTIAL):
        return len(line)
    return sum(len(getattr(each, "raw", b"")) + PIECE_BYTES for each in told)
